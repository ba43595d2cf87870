-- quoteSQL.selectRange
SELECT time, seq, bid, ask, bid_size, ask_size FROM quotes WHERE series = ?1 AND time >= ?2 AND time < ?3 ORDER BY time, seq LIMIT ?4;

-- quoteSQL.selectLast
SELECT time, seq, bid, ask, bid_size, ask_size FROM quotes WHERE series = ?1 AND time >= ?2 AND time < ?3 AND (time, seq) >= (
	SELECT time, seq FROM (SELECT time, seq FROM quotes WHERE series = ?1 AND time >= ?2 AND time < ?3 ORDER BY time DESC, seq DESC LIMIT ?4) ORDER BY time, seq LIMIT 1)
ORDER BY time, seq;

-- quoteSQL.selectKeys
SELECT time, seq FROM quotes WHERE series = ?1 AND time >= ?2 AND time < ?3 ORDER BY time, seq;

-- quoteSQL.deleteOne
DELETE FROM quotes WHERE series = ? AND time = ? AND seq = ?;

-- quoteSQL.selectAt of 2
SELECT time, seq, bid, ask, bid_size, ask_size FROM quotes WHERE series = ? AND (time, seq) IN (VALUES (?, ?), (?, ?))
ORDER BY time, seq;

-- quoteSQL.upsert of 2
REPLACE INTO quotes (series, time, seq, bid, ask, bid_size, ask_size) VALUES (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?);
