-- tradeSQL.selectRange
SELECT time, seq, price, size, side FROM trades WHERE series = (SELECT id FROM series WHERE symbol = ? AND grid = '' AND kind = ?) AND time >= ? AND time < ? ORDER BY time, seq LIMIT ?;

-- tradeSQL.selectLast
SELECT time, seq, price, size, side FROM trades WHERE series = (SELECT id FROM series WHERE symbol = ? AND grid = '' AND kind = ?) AND time >= ? AND time < ? AND (time, seq) >= (
	SELECT time, seq FROM (SELECT time, seq FROM trades WHERE series = (SELECT id FROM series WHERE symbol = ? AND grid = '' AND kind = ?) AND time >= ? AND time < ? ORDER BY time DESC, seq DESC LIMIT ?) ORDER BY time, seq LIMIT 1)
ORDER BY time, seq;

-- tradeSQL.selectKeys
SELECT time, seq FROM trades WHERE series = ? AND time >= ? AND time < ? ORDER BY time, seq;

-- tradeSQL.deleteOne
DELETE FROM trades WHERE series = ? AND time = ? AND seq = ?;

-- tradeSQL.selectAt of 2
SELECT time, seq, price, size, side FROM trades WHERE series = ? AND (time, seq) IN (VALUES (?, ?), (?, ?))
ORDER BY time, seq;

-- tradeSQL.upsert of 2
REPLACE INTO trades (series, time, seq, price, size, side) VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?);
