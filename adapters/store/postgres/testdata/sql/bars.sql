-- barSQL.selectAll
SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, series_id) = (SELECT symbol_id, id FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time;

-- barSQL.selectFirst
SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, series_id) = (SELECT symbol_id, id FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time LIMIT $6;

-- barSQL.selectLast
SELECT open_time, open, high, low, close, volume, trades FROM (SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, series_id) = (SELECT symbol_id, id FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time DESC LIMIT $6) last ORDER BY open_time;

-- barSQL.copyTable
COPY marketdata.bars (symbol_id, series_id, open_time, open, high, low, close, volume, trades) FROM STDIN (FORMAT binary);

-- barSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_bars (open_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, trades bigint, PRIMARY KEY (open_time)) ON COMMIT DELETE ROWS;

-- barSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_bars;

-- barSQL.copyStage
COPY pg_temp.marketdata_stage_bars (open_time, open, high, low, close, volume, trades) FROM STDIN (FORMAT binary);

-- barSQL.unstageConflicts
WITH conflicts AS (
	DELETE FROM pg_temp.marketdata_stage_bars s USING marketdata.bars t
	WHERE (t.symbol_id, t.series_id) = ($1, $2) AND t.open_time >= $3 AND t.open_time < $4 AND (t.open_time) = (s.open_time)
		AND (t.open, t.high, t.low, t.close, t.volume, t.trades) IS DISTINCT FROM (s.open, s.high, s.low, s.close, s.volume, s.trades)
	RETURNING t.open_time AS time
) SELECT count(*), min(time) FROM conflicts;

-- barSQL.merge
WITH updated AS (
	UPDATE marketdata.bars t SET open = s.open, high = s.high, low = s.low, close = s.close, volume = s.volume, trades = s.trades FROM pg_temp.marketdata_stage_bars s
	WHERE (t.symbol_id, t.series_id) = ($1, $2) AND t.open_time >= $3 AND t.open_time < $4 AND (t.open_time) = (s.open_time)
		AND (t.open, t.high, t.low, t.close, t.volume, t.trades) IS DISTINCT FROM (s.open, s.high, s.low, s.close, s.volume, s.trades)
	RETURNING t.open_time AS time, 0::bigint AS seq
), inserted AS (
	INSERT INTO marketdata.bars (symbol_id, series_id, open_time, open, high, low, close, volume, trades) SELECT $1, $2, open_time, open, high, low, close, volume, trades FROM pg_temp.marketdata_stage_bars
	ON CONFLICT (symbol_id, series_id, open_time) DO NOTHING RETURNING open_time AS time, 0::bigint AS seq
), changes AS (
	SELECT time, seq, 0 AS added FROM updated UNION ALL SELECT time, seq, 1 FROM inserted
)
SELECT m / $5::bigint - (m % $5::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- barSQL.hasRows
SELECT EXISTS (SELECT FROM marketdata.bars t WHERE (symbol_id, series_id) = ($1, $2) AND t.open_time >= $3 AND t.open_time < $4);

-- barSQL.delete
WITH changes AS (
	DELETE FROM marketdata.bars t WHERE (symbol_id, series_id) = ($1, $2) AND t.open_time >= $3 AND t.open_time < $4
	RETURNING open_time AS time, 0::bigint AS seq, -1 AS added
)
SELECT m / $5::bigint - (m % $5::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- barSQL.deleteOthers
WITH changes AS (
	DELETE FROM marketdata.bars t WHERE (symbol_id, series_id) = ($1, $2) AND t.open_time >= $3 AND t.open_time < $4
		AND NOT EXISTS (SELECT FROM pg_temp.marketdata_stage_bars s WHERE (s.open_time) = (t.open_time))
	RETURNING open_time AS time, 0::bigint AS seq, -1 AS added
)
SELECT m / $5::bigint - (m % $5::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- barSQL.countRows
SELECT block, (
	SELECT count(*) FROM marketdata.bars WHERE (symbol_id, series_id) = ($1, $2) AND open_time >= start_time AND open_time < end_time
), last.time, last.seq
FROM unnest($3::bigint[], $4::timestamptz[], $5::timestamptz[]) AS r (block, start_time, end_time)
CROSS JOIN LATERAL (
	SELECT open_time AS time, 0::bigint AS seq FROM marketdata.bars
	WHERE (symbol_id, series_id) = ($1, $2) AND open_time >= start_time AND open_time < end_time ORDER BY open_time DESC LIMIT 1
) last;

-- selectBatch
SELECT open_time, open, high, low, close, volume, trades, n
FROM (
	SELECT symbol_id, start_time, end_time, first, last, n, (
		SELECT id FROM marketdata.series s WHERE (s.symbol_id, s.kind, s.grid) = (i.symbol_id, i.kind, i.grid)
	) AS series_id
	FROM (
		SELECT (SELECT id FROM marketdata.symbols WHERE symbol = u.symbol) AS symbol_id,
			kind, grid, start_time, end_time, first, last, n
		FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[])
			WITH ORDINALITY AS u (symbol, kind, grid, start_time, end_time, first, last, n)
		ORDER BY n OFFSET 0
	) i OFFSET 0
) q CROSS JOIN LATERAL (
	(
		SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
		WHERE (symbol_id, series_id) = (q.symbol_id, q.series_id) AND open_time >= start_time AND open_time < end_time
		ORDER BY open_time LIMIT CASE WHEN last = 0 THEN NULLIF(first, 0) ELSE 0 END
	) UNION ALL (
		SELECT open_time, open, high, low, close, volume, trades FROM (
			SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
			WHERE (symbol_id, series_id) = (q.symbol_id, q.series_id) AND open_time >= start_time AND open_time < end_time
			ORDER BY open_time DESC LIMIT last
		) descending ORDER BY open_time
	)
) bars ORDER BY n;
