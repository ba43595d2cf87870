-- selectState
SELECT h.n, h.revision, h.nonce, (
	SELECT array_agg(ARRAY[start_time, end_time]) FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) ORDER BY start_time
	) ranges
), b.blocks, (
	SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.blocks[array_upper(b.blocks, 1)][1]
)
FROM (
	SELECT 1::bigint AS n, symbol_id, id AS series_id, revision, nonce,
		$4::bigint AS from_block, $5::bigint AS to_block, $6::bigint AS max_rows
	FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3
) h CROSS JOIN LATERAL (
	SELECT array_agg(ARRAY[block, rows, revision, nonce]) AS blocks
	FROM (SELECT block, rows, revision, nonce FROM (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block >= h.from_block AND block < h.to_block) found ORDER BY block) ascending
) b;

-- selectFirstState
SELECT h.n, h.revision, h.nonce, (
	SELECT array_agg(ARRAY[start_time, end_time]) FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) ORDER BY start_time
	) ranges
), b.blocks, (
	SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.blocks[array_upper(b.blocks, 1)][1]
)
FROM (
	SELECT 1::bigint AS n, symbol_id, id AS series_id, revision, nonce,
		$4::bigint AS from_block, $5::bigint AS to_block, $6::bigint AS max_rows
	FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3
) h CROSS JOIN LATERAL (
	SELECT array_agg(ARRAY[block, rows, revision, nonce]) AS blocks
	FROM (SELECT block, rows, revision, nonce FROM (WITH RECURSIVE walk AS (
	SELECT h.from_block - 1 AS block, 0 AS rows, 0::bigint AS revision, 0::bigint AS nonce, h.max_rows AS missing
	UNION ALL
	SELECT b.block, b.rows, b.revision, b.nonce,
		missing - CASE WHEN b.block IN (h.from_block, h.to_block - 1) THEN 0 ELSE b.rows END
	FROM walk CROSS JOIN LATERAL (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block > walk.block
		AND block >= h.from_block AND block < h.to_block ORDER BY block ASC LIMIT 1) b
	WHERE missing > 0
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0) found ORDER BY block) ascending
) b;

-- selectLastState
SELECT h.n, h.revision, h.nonce, (
	SELECT array_agg(ARRAY[start_time, end_time]) FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) ORDER BY start_time
	) ranges
), b.blocks, (
	SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.blocks[array_upper(b.blocks, 1)][1]
)
FROM (
	SELECT 1::bigint AS n, symbol_id, id AS series_id, revision, nonce,
		$4::bigint AS from_block, $5::bigint AS to_block, $6::bigint AS max_rows
	FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3
) h CROSS JOIN LATERAL (
	SELECT array_agg(ARRAY[block, rows, revision, nonce]) AS blocks
	FROM (SELECT block, rows, revision, nonce FROM (WITH RECURSIVE walk AS (
	SELECT h.to_block AS block, 0 AS rows, 0::bigint AS revision, 0::bigint AS nonce, h.max_rows AS missing
	UNION ALL
	SELECT b.block, b.rows, b.revision, b.nonce,
		missing - CASE WHEN b.block IN (h.from_block, h.to_block - 1) THEN 0 ELSE b.rows END
	FROM walk CROSS JOIN LATERAL (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block < walk.block
		AND block >= h.from_block AND block < h.to_block ORDER BY block DESC LIMIT 1) b
	WHERE missing > 0
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0) found ORDER BY block) ascending
) b;

-- selectManyStates
SELECT h.n, h.revision, h.nonce, (
	SELECT array_agg(ARRAY[start_time, end_time]) FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) ORDER BY start_time
	) ranges
), b.blocks, (
	SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.blocks[array_upper(b.blocks, 1)][1]
)
FROM (
	SELECT q.n, q.is_last, s.symbol_id, s.series_id, s.revision, s.nonce, s.is_known,
		CASE WHEN s.is_known THEN q.from_block ELSE q.other_from END AS from_block,
		CASE WHEN s.is_known THEN q.to_block ELSE q.other_to END AS to_block,
		CASE WHEN s.is_known THEN q.max_rows ELSE q.other_rows END AS max_rows
	FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
		$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[])
		WITH ORDINALITY AS q (symbol, kind, grid, from_block, to_block, max_rows,
		known_revision, known_nonce, other_from, other_to, other_rows, is_last, n)
	CROSS JOIN LATERAL (
		SELECT symbol_id, id AS series_id, revision, nonce, (revision, nonce) = (q.known_revision, q.known_nonce) AS is_known
		FROM marketdata.series
		WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = q.symbol) AND kind = q.kind AND grid = q.grid
		OFFSET 0
	) s
) h CROSS JOIN LATERAL (
	SELECT array_agg(ARRAY[block, rows, revision, nonce]) AS blocks
	FROM (SELECT block, rows, revision, nonce FROM ((SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block >= h.from_block AND block < h.to_block AND h.max_rows IS NULL)
UNION ALL (WITH RECURSIVE walk AS (
	SELECT h.from_block - 1 AS block, 0 AS rows, 0::bigint AS revision, 0::bigint AS nonce, h.max_rows AS missing
	UNION ALL
	SELECT b.block, b.rows, b.revision, b.nonce,
		missing - CASE WHEN b.block IN (h.from_block, h.to_block - 1) THEN 0 ELSE b.rows END
	FROM walk CROSS JOIN LATERAL (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block > walk.block
		AND block >= h.from_block AND block < h.to_block ORDER BY block ASC LIMIT 1) b
	WHERE missing > 0 AND NOT h.is_last
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0)
UNION ALL (WITH RECURSIVE walk AS (
	SELECT h.to_block AS block, 0 AS rows, 0::bigint AS revision, 0::bigint AS nonce, h.max_rows AS missing
	UNION ALL
	SELECT b.block, b.rows, b.revision, b.nonce,
		missing - CASE WHEN b.block IN (h.from_block, h.to_block - 1) THEN 0 ELSE b.rows END
	FROM walk CROSS JOIN LATERAL (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block < walk.block
		AND block >= h.from_block AND block < h.to_block ORDER BY block DESC LIMIT 1) b
	WHERE missing > 0 AND h.is_last
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0)) found ORDER BY block) ascending
) b;

-- selectChangedStates
SELECT h.n, h.revision, h.nonce, (
	SELECT array_agg(ARRAY[start_time, end_time]) FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND NOT h.is_known ORDER BY start_time
	) ranges
), b.blocks, (
	SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.blocks[array_upper(b.blocks, 1)][1]
)
FROM (
	SELECT q.n, q.is_last, s.symbol_id, s.series_id, s.revision, s.nonce, s.is_known,
		CASE WHEN s.is_known THEN q.from_block ELSE q.other_from END AS from_block,
		CASE WHEN s.is_known THEN q.to_block ELSE q.other_to END AS to_block,
		CASE WHEN s.is_known THEN q.max_rows ELSE q.other_rows END AS max_rows
	FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
		$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[])
		WITH ORDINALITY AS q (symbol, kind, grid, from_block, to_block, max_rows,
		known_revision, known_nonce, other_from, other_to, other_rows, is_last, n)
	CROSS JOIN LATERAL (
		SELECT symbol_id, id AS series_id, revision, nonce, (revision, nonce) = (q.known_revision, q.known_nonce) AS is_known
		FROM marketdata.series
		WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = q.symbol) AND kind = q.kind AND grid = q.grid
		OFFSET 0
	) s
) h CROSS JOIN LATERAL (
	SELECT array_agg(ARRAY[block, rows, revision, nonce]) AS blocks
	FROM (SELECT block, rows, revision, nonce FROM (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block >= h.from_block AND block < h.to_block AND NOT h.is_known) found ORDER BY block) ascending
) b;
