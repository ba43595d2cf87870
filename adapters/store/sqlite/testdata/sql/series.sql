-- selectSeries
SELECT id FROM series WHERE symbol = ? AND grid = ? AND kind = ?;

-- insertSeries
INSERT INTO series (symbol, grid, kind) VALUES (?, ?, ?);
