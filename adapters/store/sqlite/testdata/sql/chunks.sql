-- selectChunks
SELECT first_open, last_open, bars, data,
	(SELECT min(first_open) FROM chunks AS next WHERE next.series = chunks.series AND next.first_open > chunks.first_open) FROM series CROSS JOIN chunks ON chunks.series = series.id
WHERE symbol = ?1 AND grid = ?2 AND kind = ?3 AND first_open < ?5 AND last_open >= ?4
AND first_open >= coalesce((SELECT max(first_open) FROM chunks WHERE series = series.id AND first_open < ?4), ?4)
ORDER BY first_open;

-- selectLastChunks
SELECT first_open, last_open, bars, data,
	(SELECT min(first_open) FROM chunks AS next WHERE next.series = chunks.series AND next.first_open > chunks.first_open) FROM series CROSS JOIN chunks ON chunks.series = series.id
WHERE symbol = ?1 AND grid = ?2 AND kind = ?3 AND first_open < ?5 AND last_open >= ?4
AND first_open >= coalesce((SELECT max(first_open) FROM chunks WHERE series = series.id AND first_open < ?4), ?4)
ORDER BY first_open DESC;

-- selectSlot
SELECT first_open, last_open, bars, data,
	(SELECT min(first_open) FROM chunks AS next WHERE next.series = chunks.series AND next.first_open > chunks.first_open), id FROM chunks WHERE series = ?1 AND first_open = coalesce(
	(SELECT max(first_open) FROM chunks WHERE series = ?1 AND first_open <= ?2),
	(SELECT min(first_open) FROM chunks WHERE series = ?1));

-- selectChunksWithin
SELECT first_open, last_open, bars, data,
	(SELECT min(first_open) FROM chunks AS next WHERE next.series = chunks.series AND next.first_open > chunks.first_open) FROM chunks
WHERE series = ?1 AND last_open >= ?2 AND first_open < ?3;

-- insertChunk
INSERT INTO chunks (series, first_open, last_open, bars, data) VALUES (?, ?, ?, ?, ?);

-- updateChunk
UPDATE chunks SET first_open = ?, last_open = ?, bars = ?, data = ? WHERE id = ?;

-- deleteChunk
DELETE FROM chunks WHERE id = ?;
