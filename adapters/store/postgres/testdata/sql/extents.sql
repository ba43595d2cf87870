-- selectPageEnd
SELECT symbol FROM marketdata.symbols WHERE symbol COLLATE "C" > $1 ORDER BY symbol COLLATE "C" LIMIT 1 OFFSET $2;

-- selectExtentsOfPage
SELECT symbol, grid, kind, start_time, end_time, inferred FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id
WHERE grid <> '' AND kind NOT LIKE 'ledger %' AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2);

-- selectExtentsOfSymbols
SELECT symbol, grid, kind, start_time, end_time, inferred FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id
WHERE grid <> '' AND kind NOT LIKE 'ledger %' AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2) AND symbol = ANY($3);

-- selectTickExtentsOfPage
SELECT symbol, kind, start_time, end_time FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id WHERE grid = '' AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2);

-- selectTickExtentsOfSymbols
SELECT symbol, kind, start_time, end_time FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id WHERE grid = '' AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2) AND symbol = ANY($3);

-- selectTouchingRanges
SELECT n, start_time, end_time
FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY
	AS u (symbol_id, series_id, range_start, range_end, n)
CROSS JOIN LATERAL (
	SELECT start_time, end_time FROM marketdata.coverage c
	WHERE (c.symbol_id, c.series_id) = (u.symbol_id, u.series_id) AND end_time >= range_start AND start_time <= range_end
	OFFSET 0
) c ORDER BY n, start_time;

-- deleteRanges
DELETE FROM marketdata.coverage WHERE ctid = ANY(ARRAY(
	SELECT c.ctid FROM unnest($1::integer[], $2::integer[], $3::timestamptz[]) AS u (symbol_id, series_id, start_time)
	CROSS JOIN LATERAL (
		SELECT ctid FROM marketdata.coverage c
		WHERE (c.symbol_id, c.series_id, c.start_time) = (u.symbol_id, u.series_id, u.start_time) OFFSET 0
	) c
));

-- upsertRanges
INSERT INTO marketdata.coverage (symbol_id, series_id, start_time, end_time)
SELECT symbol_id, series_id, start_time, end_time
FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[])
	AS u (symbol_id, series_id, start_time, end_time)
ON CONFLICT (symbol_id, series_id, start_time) DO UPDATE SET end_time = excluded.end_time;
