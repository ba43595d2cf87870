-- quoteSQL.selectAll
SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq;

-- quoteSQL.selectFirst
SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq LIMIT $4;

-- quoteSQL.selectLast
SELECT time, seq, bid, ask, bid_size, ask_size FROM (SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time DESC, seq DESC LIMIT $4) last ORDER BY time, seq;

-- quoteSQL.copyTable
COPY marketdata.quotes (symbol_id, time, seq, bid, ask, bid_size, ask_size) FROM STDIN (FORMAT binary);

-- quoteSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_quotes (time timestamptz, seq bigint, bid numeric, ask numeric, bid_size numeric, ask_size numeric, PRIMARY KEY (time, seq)) ON COMMIT DELETE ROWS;

-- quoteSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_quotes;

-- quoteSQL.copyStage
COPY pg_temp.marketdata_stage_quotes (time, seq, bid, ask, bid_size, ask_size) FROM STDIN (FORMAT binary);

-- quoteSQL.unstageConflicts
WITH conflicts AS (
	DELETE FROM pg_temp.marketdata_stage_quotes s USING marketdata.quotes t
	WHERE (t.symbol_id) = ($1) AND t.time >= $2 AND t.time < $3 AND (t.time, t.seq) = (s.time, s.seq)
		AND (t.bid, t.ask, t.bid_size, t.ask_size) IS DISTINCT FROM (s.bid, s.ask, s.bid_size, s.ask_size)
	RETURNING t.time AS time
) SELECT count(*), min(time) FROM conflicts;

-- quoteSQL.merge
WITH updated AS (
	UPDATE marketdata.quotes t SET bid = s.bid, ask = s.ask, bid_size = s.bid_size, ask_size = s.ask_size FROM pg_temp.marketdata_stage_quotes s
	WHERE (t.symbol_id) = ($1) AND t.time >= $2 AND t.time < $3 AND (t.time, t.seq) = (s.time, s.seq)
		AND (t.bid, t.ask, t.bid_size, t.ask_size) IS DISTINCT FROM (s.bid, s.ask, s.bid_size, s.ask_size)
	RETURNING t.time AS time, t.seq AS seq
), inserted AS (
	INSERT INTO marketdata.quotes (symbol_id, time, seq, bid, ask, bid_size, ask_size) SELECT $1, time, seq, bid, ask, bid_size, ask_size FROM pg_temp.marketdata_stage_quotes
	ON CONFLICT (symbol_id, time, seq) DO NOTHING RETURNING time AS time, seq AS seq
), changes AS (
	SELECT time, seq, 0 AS added FROM updated UNION ALL SELECT time, seq, 1 FROM inserted
)
SELECT m / $4::bigint - (m % $4::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- quoteSQL.hasRows
SELECT EXISTS (SELECT FROM marketdata.quotes t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3);

-- quoteSQL.delete
WITH changes AS (
	DELETE FROM marketdata.quotes t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3
	RETURNING time AS time, seq AS seq, -1 AS added
)
SELECT m / $4::bigint - (m % $4::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- quoteSQL.deleteOthers
WITH changes AS (
	DELETE FROM marketdata.quotes t WHERE (symbol_id) = ($1) AND t.time >= $2 AND t.time < $3
		AND NOT EXISTS (SELECT FROM pg_temp.marketdata_stage_quotes s WHERE (s.time, s.seq) = (t.time, t.seq))
	RETURNING time AS time, seq AS seq, -1 AS added
)
SELECT m / $4::bigint - (m % $4::bigint < 0)::integer, count(*), sum(added)::bigint, min(ARRAY[m, seq]), max(ARRAY[m, seq])
FROM (SELECT (extract(epoch FROM time) * 1000000)::bigint AS m, seq, added FROM changes) micros GROUP BY 1;

-- quoteSQL.countRows
SELECT block, (
	SELECT count(*) FROM marketdata.quotes WHERE (symbol_id) = ($1) AND time >= start_time AND time < end_time
), last.time, last.seq
FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS r (block, start_time, end_time)
CROSS JOIN LATERAL (
	SELECT time AS time, seq AS seq FROM marketdata.quotes
	WHERE (symbol_id) = ($1) AND time >= start_time AND time < end_time ORDER BY time DESC, seq DESC LIMIT 1
) last;
