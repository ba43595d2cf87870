-- tradeSQL.selectAll
SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq;

-- tradeSQL.selectFirst
SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time, seq LIMIT $4;

-- tradeSQL.selectLast
SELECT time, seq, price, size, side FROM (SELECT time, seq, price, size, side FROM marketdata.trades WHERE (symbol_id) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1)) AND time >= $2 AND time < $3 ORDER BY time DESC, seq DESC LIMIT $4) last ORDER BY time, seq;

-- tradeSQL.copyTable
COPY marketdata.trades (symbol_id, time, seq, price, size, side) FROM STDIN (FORMAT binary);

-- tradeSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_trades (time timestamptz, seq bigint, price numeric, size numeric, side smallint) ON COMMIT DELETE ROWS;

-- tradeSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_trades;

-- tradeSQL.copyStage
COPY pg_temp.marketdata_stage_trades (time, seq, price, size, side) FROM STDIN (FORMAT binary);

-- tradeSQL.merge
INSERT INTO marketdata.trades AS t (symbol_id, time, seq, price, size, side) SELECT $1, time, seq, price, size, side FROM pg_temp.marketdata_stage_trades ON CONFLICT (symbol_id, time, seq) DO UPDATE SET price = excluded.price, size = excluded.size, side = excluded.side WHERE (t.price, t.size, t.side) IS DISTINCT FROM (excluded.price, excluded.size, excluded.side);

-- tradeSQL.countRows
SELECT count(*) FROM marketdata.trades t WHERE (symbol_id) = ($1) AND time >= $2 AND time < $3;

-- tradeSQL.delete
DELETE FROM marketdata.trades t WHERE (symbol_id) = ($1) AND time >= $2 AND time < $3;

-- tradeSQL.deleteOthers
DELETE FROM marketdata.trades t WHERE (symbol_id) = ($1) AND time >= $2 AND time < $3 AND NOT EXISTS (SELECT FROM pg_temp.marketdata_stage_trades s WHERE (s.time, s.seq) = (t.time, t.seq));
