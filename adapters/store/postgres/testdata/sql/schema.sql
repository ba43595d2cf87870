-- checkSchema
SELECT b.open_time, b.open, b.high, b.low, b.close, b.volume, b.trades, b.kind, b.grid,
	s.id, s.symbol, e.start_time, e.end_time
FROM marketdata.bars b, marketdata.symbols s, marketdata.extents e LIMIT 0;

-- createSchema
CREATE SCHEMA IF NOT EXISTS marketdata;

-- selectVersion
SELECT coalesce(max(name), '') FROM marketdata.migrations;

-- ensurePartitions
SELECT marketdata.ensure_partitions($1, $2);
