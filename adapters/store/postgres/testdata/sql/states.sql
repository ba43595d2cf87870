-- selectState
SELECT q.n, h.revision, h.nonce, c.starts, c.ends, b.numbers, b.rows, b.revisions, b.nonces,
	(SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.numbers[cardinality(b.numbers)])
FROM (VALUES ($1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint,
	$9::bigint, $10::bigint, $11::bigint, 1)) AS q (symbol, kind, grid, known_revision, known_nonce,
	from_block, to_block, max_rows, other_from, other_to, other_rows, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id AS series_id, revision, nonce, is_known,
		CASE WHEN is_known THEN q.from_block ELSE q.other_from END AS from_block,
		CASE WHEN is_known THEN q.to_block ELSE q.other_to END AS to_block,
		CASE WHEN is_known THEN q.max_rows ELSE q.other_rows END AS max_rows
	FROM marketdata.series s
	CROSS JOIN LATERAL (SELECT (s.revision, s.nonce) = (q.known_revision, q.known_nonce) AS is_known) k
	WHERE s.symbol_id = (SELECT id FROM marketdata.symbols y WHERE y.symbol = q.symbol)
		AND s.kind = q.kind AND s.grid = q.grid
	OFFSET 0
) h
CROSS JOIN LATERAL (
	SELECT array_agg(start_time) AS starts, array_agg(end_time) AS ends
	FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) ORDER BY start_time
	) ranges
) c
CROSS JOIN LATERAL (
	SELECT array_agg(block) AS numbers, array_agg(rows) AS rows, array_agg(revision) AS revisions,
		array_agg(nonce) AS nonces
	FROM (SELECT block, rows, revision, nonce FROM (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block >= h.from_block AND block < h.to_block) blocks ORDER BY block) blocks
) b;

-- selectFirstState
SELECT q.n, h.revision, h.nonce, c.starts, c.ends, b.numbers, b.rows, b.revisions, b.nonces,
	(SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.numbers[cardinality(b.numbers)])
FROM (VALUES ($1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint,
	$9::bigint, $10::bigint, $11::bigint, 1)) AS q (symbol, kind, grid, known_revision, known_nonce,
	from_block, to_block, max_rows, other_from, other_to, other_rows, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id AS series_id, revision, nonce, is_known,
		CASE WHEN is_known THEN q.from_block ELSE q.other_from END AS from_block,
		CASE WHEN is_known THEN q.to_block ELSE q.other_to END AS to_block,
		CASE WHEN is_known THEN q.max_rows ELSE q.other_rows END AS max_rows
	FROM marketdata.series s
	CROSS JOIN LATERAL (SELECT (s.revision, s.nonce) = (q.known_revision, q.known_nonce) AS is_known) k
	WHERE s.symbol_id = (SELECT id FROM marketdata.symbols y WHERE y.symbol = q.symbol)
		AND s.kind = q.kind AND s.grid = q.grid
	OFFSET 0
) h
CROSS JOIN LATERAL (
	SELECT array_agg(start_time) AS starts, array_agg(end_time) AS ends
	FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) ORDER BY start_time
	) ranges
) c
CROSS JOIN LATERAL (
	SELECT array_agg(block) AS numbers, array_agg(rows) AS rows, array_agg(revision) AS revisions,
		array_agg(nonce) AS nonces
	FROM (SELECT block, rows, revision, nonce FROM (WITH RECURSIVE walk AS (
	SELECT h.from_block - 1 AS block, 0 AS rows, 0::bigint AS revision, 0::bigint AS nonce, h.max_rows AS missing
	UNION ALL
	SELECT b.block, b.rows, b.revision, b.nonce,
		missing - CASE WHEN b.block IN (h.from_block, h.to_block - 1) THEN 0 ELSE b.rows END
	FROM walk CROSS JOIN LATERAL (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block > walk.block
		AND block >= h.from_block AND block < h.to_block ORDER BY block ASC LIMIT 1) b
	WHERE (missing > 0) IS NOT FALSE
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0) blocks ORDER BY block) blocks
) b;

-- selectLastState
SELECT q.n, h.revision, h.nonce, c.starts, c.ends, b.numbers, b.rows, b.revisions, b.nonces,
	(SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.numbers[cardinality(b.numbers)])
FROM (VALUES ($1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint,
	$9::bigint, $10::bigint, $11::bigint, 1)) AS q (symbol, kind, grid, known_revision, known_nonce,
	from_block, to_block, max_rows, other_from, other_to, other_rows, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id AS series_id, revision, nonce, is_known,
		CASE WHEN is_known THEN q.from_block ELSE q.other_from END AS from_block,
		CASE WHEN is_known THEN q.to_block ELSE q.other_to END AS to_block,
		CASE WHEN is_known THEN q.max_rows ELSE q.other_rows END AS max_rows
	FROM marketdata.series s
	CROSS JOIN LATERAL (SELECT (s.revision, s.nonce) = (q.known_revision, q.known_nonce) AS is_known) k
	WHERE s.symbol_id = (SELECT id FROM marketdata.symbols y WHERE y.symbol = q.symbol)
		AND s.kind = q.kind AND s.grid = q.grid
	OFFSET 0
) h
CROSS JOIN LATERAL (
	SELECT array_agg(start_time) AS starts, array_agg(end_time) AS ends
	FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) ORDER BY start_time
	) ranges
) c
CROSS JOIN LATERAL (
	SELECT array_agg(block) AS numbers, array_agg(rows) AS rows, array_agg(revision) AS revisions,
		array_agg(nonce) AS nonces
	FROM (SELECT block, rows, revision, nonce FROM (WITH RECURSIVE walk AS (
	SELECT h.to_block AS block, 0 AS rows, 0::bigint AS revision, 0::bigint AS nonce, h.max_rows AS missing
	UNION ALL
	SELECT b.block, b.rows, b.revision, b.nonce,
		missing - CASE WHEN b.block IN (h.from_block, h.to_block - 1) THEN 0 ELSE b.rows END
	FROM walk CROSS JOIN LATERAL (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block < walk.block
		AND block >= h.from_block AND block < h.to_block ORDER BY block DESC LIMIT 1) b
	WHERE (missing > 0) IS NOT FALSE
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0) blocks ORDER BY block) blocks
) b;

-- selectBatchStates
SELECT q.n, h.revision, h.nonce, c.starts, c.ends, b.numbers, b.rows, b.revisions, b.nonces,
	(SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.numbers[cardinality(b.numbers)])
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
	$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[])
	WITH ORDINALITY AS q (symbol, kind, grid, known_revision, known_nonce,
	from_block, to_block, max_rows, other_from, other_to, other_rows, is_last, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id AS series_id, revision, nonce, is_known,
		CASE WHEN is_known THEN q.from_block ELSE q.other_from END AS from_block,
		CASE WHEN is_known THEN q.to_block ELSE q.other_to END AS to_block,
		CASE WHEN is_known THEN q.max_rows ELSE q.other_rows END AS max_rows
	FROM marketdata.series s
	CROSS JOIN LATERAL (SELECT (s.revision, s.nonce) = (q.known_revision, q.known_nonce) AS is_known) k
	WHERE s.symbol_id = (SELECT id FROM marketdata.symbols y WHERE y.symbol = q.symbol)
		AND s.kind = q.kind AND s.grid = q.grid
	OFFSET 0
) h
CROSS JOIN LATERAL (
	SELECT array_agg(start_time) AS starts, array_agg(end_time) AS ends
	FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) ORDER BY start_time
	) ranges
) c
CROSS JOIN LATERAL (
	SELECT array_agg(block) AS numbers, array_agg(rows) AS rows, array_agg(revision) AS revisions,
		array_agg(nonce) AS nonces
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
	WHERE missing > 0 AND NOT is_last
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0)
UNION ALL (WITH RECURSIVE walk AS (
	SELECT h.to_block AS block, 0 AS rows, 0::bigint AS revision, 0::bigint AS nonce, h.max_rows AS missing
	UNION ALL
	SELECT b.block, b.rows, b.revision, b.nonce,
		missing - CASE WHEN b.block IN (h.from_block, h.to_block - 1) THEN 0 ELSE b.rows END
	FROM walk CROSS JOIN LATERAL (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block < walk.block
		AND block >= h.from_block AND block < h.to_block ORDER BY block DESC LIMIT 1) b
	WHERE missing > 0 AND is_last
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0)) blocks ORDER BY block) blocks
) b;

-- selectStates
SELECT q.n, h.revision, h.nonce, c.starts, c.ends, b.numbers, b.rows, b.revisions, b.nonces,
	(SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.numbers[cardinality(b.numbers)])
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
	$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[])
	WITH ORDINALITY AS q (symbol, kind, grid, known_revision, known_nonce,
	from_block, to_block, max_rows, other_from, other_to, other_rows, is_last, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id AS series_id, revision, nonce, is_known,
		CASE WHEN is_known THEN q.from_block ELSE q.other_from END AS from_block,
		CASE WHEN is_known THEN q.to_block ELSE q.other_to END AS to_block,
		CASE WHEN is_known THEN q.max_rows ELSE q.other_rows END AS max_rows
	FROM marketdata.series s
	CROSS JOIN LATERAL (SELECT (s.revision, s.nonce) = (q.known_revision, q.known_nonce) AS is_known) k
	WHERE s.symbol_id = (SELECT id FROM marketdata.symbols y WHERE y.symbol = q.symbol)
		AND s.kind = q.kind AND s.grid = q.grid
	OFFSET 0
) h
CROSS JOIN LATERAL (
	SELECT array_agg(start_time) AS starts, array_agg(end_time) AS ends
	FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND NOT h.is_known ORDER BY start_time
	) ranges
) c
CROSS JOIN LATERAL (
	SELECT array_agg(block) AS numbers, array_agg(rows) AS rows, array_agg(revision) AS revisions,
		array_agg(nonce) AS nonces
	FROM (SELECT block, rows, revision, nonce FROM (SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND block >= h.from_block AND block < h.to_block AND NOT h.is_known) blocks ORDER BY block) blocks
) b;
