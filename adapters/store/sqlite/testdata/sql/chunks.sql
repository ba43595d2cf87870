-- selectChunks
SELECT first_open, last_open, bars, data,
	(SELECT min(first_open) FROM chunks AS next WHERE next.series = chunks.series AND next.first_open > chunks.first_open) FROM chunks
WHERE series = (SELECT ?1) AND first_open < ?3 AND last_open >= ?2
AND first_open >= coalesce((SELECT max(first_open) FROM chunks WHERE series = (SELECT ?1) AND first_open < ?2), ?2)
ORDER BY first_open;

-- selectLastChunks
SELECT first_open, last_open, bars, data,
	(SELECT min(first_open) FROM chunks AS next WHERE next.series = chunks.series AND next.first_open > chunks.first_open) FROM chunks
WHERE series = (SELECT ?1) AND first_open < ?3 AND last_open >= ?2
AND first_open >= coalesce((SELECT max(first_open) FROM chunks WHERE series = (SELECT ?1) AND first_open < ?2), ?2)
ORDER BY first_open DESC;

-- selectSlot
SELECT first_open, last_open, bars, data,
	(SELECT min(first_open) FROM chunks AS next WHERE next.series = chunks.series AND next.first_open > chunks.first_open), id FROM chunks WHERE series = ?1 AND first_open = coalesce(
	(SELECT max(first_open) FROM chunks WHERE series = ?1 AND first_open <= ?2),
	(SELECT min(first_open) FROM chunks WHERE series = ?1));

-- insertChunk
INSERT INTO chunks (series, first_open, last_open, bars, data) VALUES (?, ?, ?, ?, ?);

-- updateChunk
UPDATE chunks SET first_open = ?, last_open = ?, bars = ?, data = ? WHERE id = ?;

-- deleteChunk
DELETE FROM chunks WHERE id = ?;
