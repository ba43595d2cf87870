-- selectExtents
SELECT symbol, grid, kind, start_time, end_time, assumed
FROM marketdata.extents JOIN marketdata.symbols ON id = symbol_id;

-- selectExtentsOfSymbols
SELECT symbol, grid, kind, start_time, end_time, assumed
FROM marketdata.extents JOIN marketdata.symbols ON id = symbol_id WHERE symbol = ANY($1);

-- selectTouchingExtents
SELECT start_time, end_time FROM marketdata.extents
WHERE symbol_id = $1 AND kind = $2 AND grid = $3 AND end_time >= $4 AND start_time <= $5;

-- deleteTouchingExtents
DELETE FROM marketdata.extents
WHERE symbol_id = $1 AND kind = $2 AND grid = $3 AND end_time >= $4 AND start_time <= $5;

-- insertExtents
INSERT INTO marketdata.extents (symbol_id, kind, grid, start_time, end_time)
SELECT $1, $2, $3, start_time, end_time FROM unnest($4::timestamptz[], $5::timestamptz[]) AS u (start_time, end_time);

-- selectTickExtents
SELECT symbol, ticks, start_time, end_time
FROM marketdata.tick_extents JOIN marketdata.symbols ON id = symbol_id;

-- selectTickExtentsOfSymbols
SELECT symbol, ticks, start_time, end_time
FROM marketdata.tick_extents JOIN marketdata.symbols ON id = symbol_id WHERE symbol = ANY($1);

-- selectTouchingTickExtents
SELECT start_time, end_time FROM marketdata.tick_extents
WHERE symbol_id = $1 AND ticks = $2 AND end_time >= $3 AND start_time <= $4;

-- deleteTouchingTickExtents
DELETE FROM marketdata.tick_extents
WHERE symbol_id = $1 AND ticks = $2 AND end_time >= $3 AND start_time <= $4;

-- insertTickExtents
INSERT INTO marketdata.tick_extents (symbol_id, ticks, start_time, end_time)
SELECT $1, $2, start_time, end_time FROM unnest($3::timestamptz[], $4::timestamptz[]) AS u (start_time, end_time);
