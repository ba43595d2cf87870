-- tradeSQL.selectAll
SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq;

-- tradeSQL.selectFirst
SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq LIMIT $4;

-- tradeSQL.selectLast
SELECT time, seq, price, size, side FROM (SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time DESC, seq DESC LIMIT $4) last ORDER BY time, seq;

-- tradeSQL.copyTable
COPY marketdata.trades (symbol_id, time, seq, price, size, side) FROM STDIN (FORMAT binary);

-- tradeSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_trades (time timestamptz, seq bigint, price numeric, size numeric, side smallint, PRIMARY KEY (time, seq)) ON COMMIT DELETE ROWS;

-- tradeSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_trades;

-- tradeSQL.copyStage
COPY pg_temp.marketdata_stage_trades (time, seq, price, size, side) FROM STDIN (FORMAT binary);

-- tradeSQL.unstageConflicts
WITH conflicts AS (
	DELETE FROM pg_temp.marketdata_stage_trades s USING marketdata.trades t
	WHERE (t.symbol_id) = ($1) AND t.time >= $2 AND t.time < $3 AND (t.time, t.seq) = (s.time, s.seq)
		AND (t.price, t.size, t.side) IS DISTINCT FROM (s.price, s.size, s.side)
	RETURNING t.time AS time
) SELECT count(*), min(time) FROM conflicts;

-- tradeSQL.merge
WITH updated AS (
	UPDATE marketdata.trades t SET price = s.price, size = s.size, side = s.side FROM pg_temp.marketdata_stage_trades s
	WHERE (t.symbol_id) = ($1) AND t.time >= $2 AND t.time < $3 AND (t.time, t.seq) = (s.time, s.seq)
		AND (t.price, t.size, t.side) IS DISTINCT FROM (s.price, s.size, s.side)
	RETURNING t.time AS time, t.seq AS seq
), inserted AS (
	INSERT INTO marketdata.trades (symbol_id, time, seq, price, size, side) SELECT $1, time, seq, price, size, side FROM pg_temp.marketdata_stage_trades
	ON CONFLICT (symbol_id, time, seq) DO NOTHING RETURNING time AS time, seq AS seq
), changes AS (
	SELECT time, seq, 0 AS added FROM updated UNION ALL SELECT time, seq, 1 FROM inserted
)
SELECT m / $4::bigint - (m % $4::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- tradeSQL.hasRows
SELECT EXISTS (SELECT FROM marketdata.trades t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3);

-- tradeSQL.delete
WITH changes AS (
	DELETE FROM marketdata.trades t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3
	RETURNING time AS time, seq AS seq, -1 AS added
)
SELECT m / $4::bigint - (m % $4::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- tradeSQL.deleteOthers
WITH changes AS (
	DELETE FROM marketdata.trades t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3
		AND NOT EXISTS (SELECT FROM pg_temp.marketdata_stage_trades s WHERE (s.time, s.seq) = (t.time, t.seq))
	RETURNING time AS time, seq AS seq, -1 AS added
)
SELECT m / $4::bigint - (m % $4::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- tradeSQL.countRows
SELECT block, (
	SELECT count(*) FROM marketdata.trades WHERE (symbol_id) = ($1) AND time >= start_time AND time < end_time
), last.time, last.seq
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS r (block, start_time, end_time)
CROSS JOIN LATERAL (
	SELECT time AS time, seq AS seq FROM marketdata.trades
	WHERE (symbol_id) = ($1) AND time >= start_time AND time < end_time ORDER BY time DESC, seq DESC LIMIT 1
) last;
