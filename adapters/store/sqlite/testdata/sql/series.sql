-- selectSeries
SELECT id FROM series WHERE symbol = ? AND grid = ? AND kind = ?;

-- insertSeries
INSERT INTO series (symbol, grid, kind) VALUES (?, ?, ?);

-- selectCovered
SELECT rtrim(kind || ' ' || grid) FROM series WHERE symbol = ? AND EXISTS (SELECT 1 FROM extents WHERE extents.series = series.id) ORDER BY 1;

-- deleteRowsOf blocks
DELETE FROM blocks WHERE series IN (SELECT id FROM series WHERE symbol = ?);

-- deleteSeries
DELETE FROM series WHERE symbol = ?;

-- deleteSymbol
DELETE FROM symbols WHERE symbol = ?;
