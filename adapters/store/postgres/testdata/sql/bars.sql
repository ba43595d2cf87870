-- barSQL.selectAll
SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, series_id) = (SELECT symbol_id, id FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time;

-- barSQL.selectFirst
SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, series_id) = (SELECT symbol_id, id FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time LIMIT $6;

-- barSQL.selectLast
SELECT open_time, open, high, low, close, volume, trades FROM (SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, series_id) = (SELECT symbol_id, id FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time DESC LIMIT $6) last ORDER BY open_time;

-- barSQL.copyTable
COPY marketdata.bars (symbol_id, series_id, open_time, open, high, low, close, volume, trades) FROM STDIN (FORMAT binary);

-- barSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_bars (symbol_id integer, series_id integer, block bigint, open_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, trades bigint, PRIMARY KEY (symbol_id, series_id, open_time)) ON COMMIT DELETE ROWS;

-- barSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_bars;

-- barSQL.copyStage
COPY pg_temp.marketdata_stage_bars (symbol_id, series_id, block, open_time, open, high, low, close, volume, trades) FROM STDIN (FORMAT binary);

-- barSQL.unstageConflicts
WITH conflicts AS (
	DELETE FROM pg_temp.marketdata_stage_bars s WHERE EXISTS (
		SELECT FROM marketdata.bars t WHERE (t.symbol_id, t.series_id) = (s.symbol_id, s.series_id) AND (t.open_time) = (s.open_time)
			AND (t.open, t.high, t.low, t.close, t.volume, t.trades) IS DISTINCT FROM (s.open, s.high, s.low, s.close, s.volume, s.trades) OFFSET 0
	) RETURNING series_id, open_time AS time
) SELECT series_id, count(*), min(time) FROM conflicts GROUP BY series_id;

-- barSQL.unstageSeries
DELETE FROM pg_temp.marketdata_stage_bars WHERE (series_id IN (SELECT unnest($1::integer[]))) IS TRUE;

-- barSQL.merge
WITH changes AS MATERIALIZED (
	SELECT s.symbol_id, s.series_id, block, s.open_time, s.open, s.high, s.low, s.close, s.volume, s.trades, (extract(epoch FROM s.open_time) * 1000000)::bigint AS m, 0::bigint AS n,
		coalesce(added, 1) AS added
	FROM pg_temp.marketdata_stage_bars s LEFT JOIN LATERAL (
		SELECT 0 AS added, (t.open, t.high, t.low, t.close, t.volume, t.trades) IS NOT DISTINCT FROM (s.open, s.high, s.low, s.close, s.volume, s.trades) AS is_equal FROM marketdata.bars t
		WHERE (t.symbol_id, t.series_id) = (s.symbol_id, s.series_id) AND (t.open_time) = (s.open_time) OFFSET 0
	) stored ON true
	WHERE is_equal IS NOT TRUE
), written AS (
	INSERT INTO marketdata.bars (symbol_id, series_id, open_time, open, high, low, close, volume, trades) SELECT symbol_id, series_id, open_time, open, high, low, close, volume, trades FROM changes
	ON CONFLICT (symbol_id, series_id, open_time) DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, trades = excluded.trades
)
SELECT series_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY series_id, block;

-- barSQL.rangesWithRows
SELECT n FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS u (symbol_id, series_id, start_time, end_time, n)
WHERE EXISTS (
	SELECT FROM marketdata.bars t
	WHERE (t.symbol_id, t.series_id) = (u.symbol_id, u.series_id) AND t.open_time >= start_time AND t.open_time < end_time
	OFFSET 0
);

-- barSQL.delete
WITH deleted AS (
	DELETE FROM marketdata.bars t WHERE (symbol_id, series_id) = ($1, $2) AND t.open_time >= $3 AND t.open_time < $4
	RETURNING t.series_id, (extract(epoch FROM t.open_time) * 1000000)::bigint AS m, 0::bigint AS n
), changes AS (
	SELECT series_id, m / $5::bigint - (m % $5::bigint < 0)::integer AS block, m, n, -1 AS added FROM deleted
)
SELECT series_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY series_id, block;

-- barSQL.deleteOthers
WITH deleted AS (
	DELETE FROM marketdata.bars t WHERE (symbol_id, series_id) = ($1, $2) AND t.open_time >= $3 AND t.open_time < $4
		AND NOT EXISTS (
			SELECT FROM pg_temp.marketdata_stage_bars s WHERE (s.symbol_id, s.series_id, s.open_time) = (t.symbol_id, t.series_id, t.open_time) OFFSET 0
		)
	RETURNING t.series_id, (extract(epoch FROM t.open_time) * 1000000)::bigint AS m, 0::bigint AS n
), changes AS (
	SELECT series_id, m / $5::bigint - (m % $5::bigint < 0)::integer AS block, m, n, -1 AS added FROM deleted
)
SELECT series_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY series_id, block;

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
