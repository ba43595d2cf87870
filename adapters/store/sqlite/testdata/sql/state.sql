-- selectCoverage
SELECT id, revision, nonce, range_start, range_end FROM series
LEFT JOIN extents ON extents.series = series.id
WHERE symbol = ? AND grid = ? AND kind = ? ORDER BY range_start;

-- selectBlocks
SELECT block, rows, revision, nonce FROM blocks
WHERE series = (SELECT ?1) AND block >= ?2 AND block < ?3 ORDER BY block;

-- selectLastBlocks
SELECT block, rows, revision, nonce FROM blocks
WHERE series = (SELECT ?1) AND block >= ?2 AND block < ?3 ORDER BY block DESC;

-- savepoint
SAVEPOINT series;

-- releaseSavepoint
RELEASE series;

-- rollbackToSavepoint
ROLLBACK TO series; RELEASE series;

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
