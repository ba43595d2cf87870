-- selectPageEnd
SELECT symbol FROM marketdata.symbols WHERE symbol COLLATE "C" > $1 ORDER BY symbol COLLATE "C" LIMIT 1 OFFSET $2;

-- selectExtentsOfPage
SELECT symbol, grid, kind, start_time, end_time, inferred FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id WHERE grid <> '' AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2);

-- selectExtentsOfSymbols
SELECT symbol, grid, kind, start_time, end_time, inferred FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id WHERE grid <> '' AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2) AND symbol = ANY($3);

-- selectTickExtentsOfPage
SELECT symbol, kind, start_time, end_time FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id WHERE grid = '' AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2);

-- selectTickExtentsOfSymbols
SELECT symbol, kind, start_time, end_time FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id WHERE grid = '' AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2) AND symbol = ANY($3);

-- selectTouchingRanges
SELECT start_time, end_time FROM marketdata.coverage
WHERE symbol_id = $1 AND series_id = $2 AND end_time >= $3 AND start_time <= $4 ORDER BY start_time;

-- deleteRanges
DELETE FROM marketdata.coverage WHERE symbol_id = $1 AND series_id = $2 AND start_time = ANY($3);

-- upsertRanges
INSERT INTO marketdata.coverage (symbol_id, series_id, start_time, end_time)
SELECT $1, $2, start_time, end_time FROM unnest($3::timestamptz[], $4::timestamptz[]) AS u (start_time, end_time)
ON CONFLICT (symbol_id, series_id, start_time) DO UPDATE SET end_time = excluded.end_time;
