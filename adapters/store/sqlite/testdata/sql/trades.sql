-- tradeSQL.selectRange
SELECT time, seq, price, size, side FROM trades WHERE series = ?1 AND time >= ?2 AND time < ?3 ORDER BY time, seq LIMIT ?4;

-- tradeSQL.selectLast
SELECT time, seq, price, size, side FROM trades WHERE series = ?1 AND time >= ?2 AND time < ?3 AND (time, seq) >= (
	SELECT time, seq FROM (SELECT time, seq FROM trades WHERE series = ?1 AND time >= ?2 AND time < ?3 ORDER BY time DESC, seq DESC LIMIT ?4) ORDER BY time, seq LIMIT 1)
ORDER BY time, seq;

-- tradeSQL.selectKeys
SELECT time, seq FROM trades WHERE series = ?1 AND time >= ?2 AND time < ?3 ORDER BY time, seq;

-- tradeSQL.deleteOne
DELETE FROM trades WHERE series = ? AND time = ? AND seq = ?;

-- tradeSQL.selectAt of 2
SELECT time, seq, price, size, side FROM trades WHERE series = ? AND (time, seq) IN (VALUES (?, ?), (?, ?))
ORDER BY time, seq;

-- tradeSQL.upsert of 2
REPLACE INTO trades (series, time, seq, price, size, side) VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?);
