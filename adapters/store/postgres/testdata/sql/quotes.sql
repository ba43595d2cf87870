-- quoteSQL.selectAll
SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq;

-- quoteSQL.selectFirst
SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq LIMIT $4;

-- quoteSQL.selectLast
SELECT time, seq, bid, ask, bid_size, ask_size FROM (SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time DESC, seq DESC LIMIT $4) last ORDER BY time, seq;

-- quoteSQL.copyTable
COPY marketdata.quotes (symbol_id, time, seq, bid, ask, bid_size, ask_size) FROM STDIN (FORMAT binary);

-- quoteSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_quotes (symbol_id integer, block bigint, time timestamptz, seq bigint, bid numeric, ask numeric, bid_size numeric, ask_size numeric, PRIMARY KEY (symbol_id, time, seq)) ON COMMIT DELETE ROWS;

-- quoteSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_quotes;

-- quoteSQL.copyStage
COPY pg_temp.marketdata_stage_quotes (symbol_id, block, time, seq, bid, ask, bid_size, ask_size) FROM STDIN (FORMAT binary);

-- quoteSQL.unstageConflicts
WITH conflicts AS (
	DELETE FROM pg_temp.marketdata_stage_quotes s WHERE EXISTS (
		SELECT FROM marketdata.quotes t WHERE (t.symbol_id) = (s.symbol_id) AND (t.time, t.seq) = (s.time, s.seq)
			AND (t.bid, t.ask, t.bid_size, t.ask_size) IS DISTINCT FROM (s.bid, s.ask, s.bid_size, s.ask_size) OFFSET 0
	) RETURNING symbol_id, time AS time
) SELECT symbol_id, count(*), min(time) FROM conflicts GROUP BY symbol_id;

-- quoteSQL.unstageSeries
DELETE FROM pg_temp.marketdata_stage_quotes WHERE (symbol_id IN (SELECT unnest($1::integer[]))) IS TRUE;

-- quoteSQL.merge
WITH changes AS MATERIALIZED (
	SELECT s.symbol_id, block, s.time, s.seq, s.bid, s.ask, s.bid_size, s.ask_size, (extract(epoch FROM s.time) * 1000000)::bigint AS m, s.seq AS n,
		coalesce(added, 1) AS added
	FROM pg_temp.marketdata_stage_quotes s LEFT JOIN LATERAL (
		SELECT 0 AS added, (t.bid, t.ask, t.bid_size, t.ask_size) IS NOT DISTINCT FROM (s.bid, s.ask, s.bid_size, s.ask_size) AS is_equal FROM marketdata.quotes t
		WHERE (t.symbol_id) = (s.symbol_id) AND (t.time, t.seq) = (s.time, s.seq) OFFSET 0
	) stored ON true
	WHERE is_equal IS NOT TRUE
), written AS (
	INSERT INTO marketdata.quotes (symbol_id, time, seq, bid, ask, bid_size, ask_size) SELECT symbol_id, time, seq, bid, ask, bid_size, ask_size FROM changes
	ON CONFLICT (symbol_id, time, seq) DO UPDATE SET bid = excluded.bid, ask = excluded.ask, bid_size = excluded.bid_size, ask_size = excluded.ask_size
)
SELECT symbol_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY symbol_id, block;

-- quoteSQL.rangesWithRows
SELECT n FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS u (symbol_id, start_time, end_time, n)
WHERE EXISTS (
	SELECT FROM marketdata.quotes t
	WHERE (t.symbol_id) = (u.symbol_id) AND t.time >= start_time AND t.time < end_time
	OFFSET 0
);

-- quoteSQL.delete
WITH deleted AS (
	DELETE FROM marketdata.quotes t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3
	RETURNING t.symbol_id, (extract(epoch FROM t.time) * 1000000)::bigint AS m, t.seq AS n
), changes AS (
	SELECT symbol_id, m / $4::bigint - (m % $4::bigint < 0)::integer AS block, m, n, -1 AS added FROM deleted
)
SELECT symbol_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY symbol_id, block;

-- quoteSQL.deleteOthers
WITH deleted AS (
	DELETE FROM marketdata.quotes t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3
		AND NOT EXISTS (
			SELECT FROM pg_temp.marketdata_stage_quotes s WHERE (s.symbol_id, s.time, s.seq) = (t.symbol_id, t.time, t.seq) OFFSET 0
		)
	RETURNING t.symbol_id, (extract(epoch FROM t.time) * 1000000)::bigint AS m, t.seq AS n
), changes AS (
	SELECT symbol_id, m / $4::bigint - (m % $4::bigint < 0)::integer AS block, m, n, -1 AS added FROM deleted
)
SELECT symbol_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY symbol_id, block;

-- quoteSQL.countRows
SELECT block, (
	SELECT count(*) FROM marketdata.quotes WHERE (symbol_id) = ($1) AND time >= start_time AND time < end_time
), last.time, last.seq
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS r (block, start_time, end_time)
CROSS JOIN LATERAL (
	SELECT time AS time, seq AS seq FROM marketdata.quotes
	WHERE (symbol_id) = ($1) AND time >= start_time AND time < end_time ORDER BY time DESC, seq DESC LIMIT 1
) last;
