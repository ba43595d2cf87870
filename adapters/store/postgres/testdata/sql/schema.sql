-- checkSchema
SELECT b.open_time, b.open, b.high, b.low, b.close, b.volume, b.trades, b.symbol_id, b.series_id,
	y.id, y.symbol, s.symbol_id, s.id, s.kind, s.grid, c.symbol_id, c.series_id, c.start_time, c.end_time, c.inferred
FROM marketdata.bars b, marketdata.symbols y, marketdata.series s, marketdata.coverage c LIMIT 0;

-- checkVersions
SELECT s.revision, s.nonce, b.symbol_id, b.series_id, b.block, b.rows, b.revision, b.nonce, b.tail, b.hash,
	i.symbol_id, i.series_id, i.start_time, i.end_time, i.expires, f.identity, f.is_bound
FROM marketdata.series s, marketdata.blocks b, marketdata.intents i, marketdata.influx_identity f LIMIT 0;

-- createSchema
CREATE SCHEMA IF NOT EXISTS marketdata;

-- selectVersion
SELECT coalesce(max(name), '') FROM marketdata.migrations;

-- ensurePartitions
SELECT marketdata.ensure_partitions($1, $2);

-- dropPartition
SELECT marketdata.drop_empty_partition($1);

-- selectPartitions
SELECT c.relname::text
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relnamespace = to_regnamespace('marketdata') AND c.relnamespace = p.relnamespace
	AND p.relname IN ('bars', 'trades', 'quotes') AND c.relname ~ ('^' || p.relname || '_[0-9_]+$')
	AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz <= $1
ORDER BY c.relname;
