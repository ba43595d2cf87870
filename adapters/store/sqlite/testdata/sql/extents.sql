-- selectTouchingExtents
SELECT range_start, range_end FROM extents WHERE series = ?1 AND range_start <= ?3 AND range_end >= ?2 ORDER BY range_start;

-- deleteTouchingExtents
DELETE FROM extents WHERE series = ?1 AND range_start <= ?3 AND range_end >= ?2;

-- insertExtent
INSERT INTO extents (series, range_start, range_end) VALUES (?, ?, ?);

-- selectExtents of bars
SELECT symbol, grid, kind, range_start, range_end FROM extents JOIN series ON series.id = extents.series
WHERE (grid <> '') = ? AND symbol > ? ORDER BY symbol, kind, grid, range_start;

-- selectExtents of bars up to a symbol
SELECT symbol, grid, kind, range_start, range_end FROM extents JOIN series ON series.id = extents.series
WHERE (grid <> '') = ? AND symbol > ? AND symbol <= ? ORDER BY symbol, kind, grid, range_start;

-- selectExtents of ticks by symbols
SELECT symbol, grid, kind, range_start, range_end FROM extents JOIN series ON series.id = extents.series
WHERE (grid <> '') = ? AND symbol > ? AND symbol IN (SELECT value FROM json_each(?)) ORDER BY symbol, kind, grid, range_start;
