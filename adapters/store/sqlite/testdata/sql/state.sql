-- selectSeriesVersion
SELECT id, revision, nonce FROM series WHERE symbol = ? AND grid = ? AND kind = ?;

-- selectState
SELECT a, b, revision, nonce FROM (
	SELECT 0 AS part, range_start AS a, range_end AS b, NULL AS revision, NULL AS nonce FROM extents WHERE series = ?1
	UNION ALL
	SELECT 1, block, rows, revision, nonce FROM blocks WHERE series = ?1 AND block >= ?2 AND block < ?3
) ORDER BY part, a;

-- updateVersion
UPDATE series SET revision = revision + 1, nonce = ?2 WHERE id = ?1 RETURNING revision;

-- upsertBlock
INSERT INTO blocks (series, block, rows, revision, nonce) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (series, block) DO UPDATE
SET rows = rows + excluded.rows, revision = excluded.revision, nonce = excluded.nonce;

-- deleteBlock
DELETE FROM blocks WHERE series = ? AND block = ?;

-- deleteEmptyBlocks
DELETE FROM blocks WHERE series = ? AND rows <= 0;
