-- tradeSQL.selectAll
SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq;

-- tradeSQL.selectFirst
SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq LIMIT $4;

-- tradeSQL.selectLast
SELECT time, seq, price, size, side FROM (SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time DESC, seq DESC LIMIT $4) last ORDER BY time, seq;

-- tradeSQL.copyTable
COPY marketdata.trades (symbol_id, time, seq, price, size, side) FROM STDIN (FORMAT binary);

-- tradeSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_trades (symbol_id integer, block bigint, time timestamptz, seq bigint, price numeric, size numeric, side smallint, PRIMARY KEY (symbol_id, time, seq)) ON COMMIT DELETE ROWS;

-- tradeSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_trades;

-- tradeSQL.copyStage
COPY pg_temp.marketdata_stage_trades (symbol_id, block, time, seq, price, size, side) FROM STDIN (FORMAT binary);

-- tradeSQL.unstageConflicts
WITH conflicts AS (
	DELETE FROM pg_temp.marketdata_stage_trades s WHERE EXISTS (
		SELECT FROM marketdata.trades t WHERE (t.symbol_id) = (s.symbol_id) AND (t.time, t.seq) = (s.time, s.seq)
			AND (t.price, t.size, t.side) IS DISTINCT FROM (s.price, s.size, s.side) OFFSET 0
	) RETURNING symbol_id, time AS time
) SELECT symbol_id, count(*), min(time) FROM conflicts GROUP BY symbol_id;

-- tradeSQL.unstageSeries
DELETE FROM pg_temp.marketdata_stage_trades WHERE (symbol_id IN (SELECT unnest($1::integer[]))) IS TRUE;

-- tradeSQL.merge
WITH changes AS MATERIALIZED (
	SELECT s.symbol_id, block, s.time, s.seq, s.price, s.size, s.side, (extract(epoch FROM s.time) * 1000000)::bigint AS m, s.seq AS n,
		coalesce(added, 1) AS added
	FROM pg_temp.marketdata_stage_trades s LEFT JOIN LATERAL (
		SELECT 0 AS added, (t.price, t.size, t.side) IS NOT DISTINCT FROM (s.price, s.size, s.side) AS is_equal FROM marketdata.trades t
		WHERE (t.symbol_id) = (s.symbol_id) AND (t.time, t.seq) = (s.time, s.seq) OFFSET 0
	) stored ON true
	WHERE is_equal IS NOT TRUE
), written AS (
	INSERT INTO marketdata.trades (symbol_id, time, seq, price, size, side) SELECT symbol_id, time, seq, price, size, side FROM changes
	ON CONFLICT (symbol_id, time, seq) DO UPDATE SET price = excluded.price, size = excluded.size, side = excluded.side
)
SELECT symbol_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY symbol_id, block;

-- tradeSQL.rangesWithRows
SELECT n FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS u (symbol_id, start_time, end_time, n)
WHERE EXISTS (
	SELECT FROM marketdata.trades t
	WHERE (t.symbol_id) = (u.symbol_id) AND t.time >= start_time AND t.time < end_time
	OFFSET 0
);

-- tradeSQL.delete
WITH deleted AS (
	DELETE FROM marketdata.trades t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3
	RETURNING t.symbol_id, (extract(epoch FROM t.time) * 1000000)::bigint AS m, t.seq AS n
), changes AS (
	SELECT symbol_id, m / $4::bigint - (m % $4::bigint < 0)::integer AS block, m, n, -1 AS added FROM deleted
)
SELECT symbol_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY symbol_id, block;

-- tradeSQL.deleteOthers
WITH deleted AS (
	DELETE FROM marketdata.trades t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3
		AND NOT EXISTS (
			SELECT FROM pg_temp.marketdata_stage_trades s WHERE (s.symbol_id, s.time, s.seq) = (t.symbol_id, t.time, t.seq) OFFSET 0
		)
	RETURNING t.symbol_id, (extract(epoch FROM t.time) * 1000000)::bigint AS m, t.seq AS n
), changes AS (
	SELECT symbol_id, m / $4::bigint - (m % $4::bigint < 0)::integer AS block, m, n, -1 AS added FROM deleted
)
SELECT symbol_id, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY symbol_id, block;

-- tradeSQL.countRows
SELECT block, (
	SELECT count(*) FROM marketdata.trades WHERE (symbol_id) = ($1) AND time >= start_time AND time < end_time
), last.time, last.seq
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS r (block, start_time, end_time)
CROSS JOIN LATERAL (
	SELECT time AS time, seq AS seq FROM marketdata.trades
	WHERE (symbol_id) = ($1) AND time >= start_time AND time < end_time ORDER BY time DESC, seq DESC LIMIT 1
) last;
