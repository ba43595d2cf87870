-- insertNewSymbol
INSERT INTO symbols (symbol, venue, base, quote, tick, lot, zone) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (symbol) DO NOTHING;

-- upsertSymbols of 2
INSERT INTO symbols (symbol, venue, base, quote, tick, lot, zone) VALUES (?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (symbol) DO UPDATE SET venue = excluded.venue, base = excluded.base, quote = excluded.quote,
	tick = excluded.tick, lot = excluded.lot, zone = excluded.zone;

-- selectSymbols
SELECT symbol, venue, base, quote, tick, lot, zone FROM symbols WHERE symbol > ? ORDER BY symbol LIMIT ?;

-- selectSymbols by symbols
SELECT symbol, venue, base, quote, tick, lot, zone FROM symbols WHERE symbol > ? AND symbol IN (SELECT value FROM json_each(?)) ORDER BY symbol LIMIT ?;

-- selectSymbols by pattern
SELECT symbol, venue, base, quote, tick, lot, zone FROM symbols WHERE symbol > ? AND symbol GLOB ? ORDER BY symbol LIMIT ?;

-- selectSymbols by symbols and pattern
SELECT symbol, venue, base, quote, tick, lot, zone FROM symbols WHERE symbol > ? AND symbol IN (SELECT value FROM json_each(?)) AND symbol GLOB ? ORDER BY symbol LIMIT ?;

-- selectPageEnd
SELECT symbol FROM symbols WHERE symbol > ? ORDER BY symbol LIMIT 1 OFFSET ?;
