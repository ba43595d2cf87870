-- barSQL.selectAll
SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, kind, grid) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1), $2, $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time;

-- barSQL.selectFirst
SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, kind, grid) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1), $2, $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time LIMIT $6;

-- barSQL.selectLast
SELECT open_time, open, high, low, close, volume, trades FROM (SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars WHERE (symbol_id, kind, grid) = ((SELECT id FROM marketdata.symbols WHERE symbol = $1), $2, $3) AND open_time >= $4 AND open_time < $5 ORDER BY open_time DESC LIMIT $6) last ORDER BY open_time;

-- barSQL.copyTable
COPY marketdata.bars (symbol_id, kind, grid, open_time, open, high, low, close, volume, trades) FROM STDIN (FORMAT binary);

-- barSQL.createStage
CREATE TEMP TABLE IF NOT EXISTS marketdata_stage_bars (open_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric, trades bigint) ON COMMIT DELETE ROWS;

-- barSQL.truncateStage
TRUNCATE pg_temp.marketdata_stage_bars;

-- barSQL.copyStage
COPY pg_temp.marketdata_stage_bars (open_time, open, high, low, close, volume, trades) FROM STDIN (FORMAT binary);

-- barSQL.merge
INSERT INTO marketdata.bars AS t (symbol_id, kind, grid, open_time, open, high, low, close, volume, trades) SELECT $1, $2, $3, open_time, open, high, low, close, volume, trades FROM pg_temp.marketdata_stage_bars ON CONFLICT (symbol_id, kind, grid, open_time) DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, trades = excluded.trades WHERE (t.open, t.high, t.low, t.close, t.volume, t.trades) IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.trades);

-- barSQL.countRows
SELECT count(*) FROM marketdata.bars t WHERE (symbol_id, kind, grid) = ($1, $2, $3) AND open_time >= $4 AND open_time < $5;

-- barSQL.delete
DELETE FROM marketdata.bars t WHERE (symbol_id, kind, grid) = ($1, $2, $3) AND open_time >= $4 AND open_time < $5;

-- barSQL.deleteOthers
DELETE FROM marketdata.bars t WHERE (symbol_id, kind, grid) = ($1, $2, $3) AND open_time >= $4 AND open_time < $5 AND NOT EXISTS (SELECT FROM pg_temp.marketdata_stage_bars s WHERE (s.open_time) = (t.open_time));

-- selectBatch
SELECT open_time, open, high, low, close, volume, trades, n
FROM (
	SELECT (SELECT id FROM marketdata.symbols WHERE symbol = u.symbol) AS symbol_id,
		kind, grid, start_time, end_time, first, last, n
	FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[])
		WITH ORDINALITY AS u (symbol, kind, grid, start_time, end_time, first, last, n)
	ORDER BY n OFFSET 0
) q CROSS JOIN LATERAL (
	(
		SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
		WHERE (symbol_id, kind, grid) = (q.symbol_id, q.kind, q.grid)
			AND open_time >= start_time AND open_time < end_time
		ORDER BY open_time LIMIT CASE WHEN last = 0 THEN NULLIF(first, 0) ELSE 0 END
	) UNION ALL (
		SELECT open_time, open, high, low, close, volume, trades FROM (
			SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
			WHERE (symbol_id, kind, grid) = (q.symbol_id, q.kind, q.grid)
				AND open_time >= start_time AND open_time < end_time
			ORDER BY open_time DESC LIMIT last
		) descending ORDER BY open_time
	)
) bars ORDER BY n;
