-- quoteSQL.selectAll
SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq;

-- quoteSQL.selectFirst
SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq LIMIT $4;

-- quoteSQL.selectLast
SELECT time, seq, bid, ask, bid_size, ask_size FROM (SELECT time, seq, bid, ask, bid_size, ask_size FROM marketdata.quotes WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time DESC, seq DESC LIMIT $4) last ORDER BY time, seq;

-- quoteSQL.copyTable
COPY marketdata.quotes (symbol_id, time, seq, bid, ask, bid_size, ask_size) FROM STDIN (FORMAT binary);

-- quoteSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_quotes (time timestamptz, seq bigint, bid numeric, ask numeric, bid_size numeric, ask_size numeric) ON COMMIT DELETE ROWS;

-- quoteSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_quotes;

-- quoteSQL.copyStage
COPY pg_temp.marketdata_stage_quotes (time, seq, bid, ask, bid_size, ask_size) FROM STDIN (FORMAT binary);

-- quoteSQL.merge
INSERT INTO marketdata.quotes AS t (symbol_id, time, seq, bid, ask, bid_size, ask_size) SELECT $1, time, seq, bid, ask, bid_size, ask_size FROM pg_temp.marketdata_stage_quotes ON CONFLICT (symbol_id, time, seq) DO UPDATE SET bid = excluded.bid, ask = excluded.ask, bid_size = excluded.bid_size, ask_size = excluded.ask_size WHERE (t.bid, t.ask, t.bid_size, t.ask_size) IS DISTINCT FROM (excluded.bid, excluded.ask, excluded.bid_size, excluded.ask_size);

-- quoteSQL.countRows
SELECT count(*) FROM marketdata.quotes t WHERE (symbol_id) = ($1) AND time >= $2 AND time < $3;

-- quoteSQL.delete
DELETE FROM marketdata.quotes t WHERE (symbol_id) = ($1) AND time >= $2 AND time < $3;

-- quoteSQL.deleteOthers
DELETE FROM marketdata.quotes t WHERE (symbol_id) = ($1) AND time >= $2 AND time < $3 AND NOT EXISTS (SELECT FROM pg_temp.marketdata_stage_quotes s WHERE (s.time, s.seq) = (t.time, t.seq));
