-- selectRelations
SELECT coalesce(array_agg(relname::text), '{}'),
	coalesce(bool_or(relkind NOT IN ('r', 'p')) FILTER (WHERE relname = 'series'), false)
FROM pg_class WHERE relnamespace = to_regnamespace('marketdata') AND relname IN ('series', 'trades', 'quotes');

-- selectSeries
SELECT n, symbol_id, id, uid
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u (symbol, kind, grid, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id, uid FROM marketdata.series s WHERE s.symbol_id = (
		SELECT id FROM marketdata.symbols y WHERE y.symbol = u.symbol
	) AND s.kind = u.kind AND s.grid = u.grid OFFSET 0
) s;

-- insertSeries
INSERT INTO marketdata.series (symbol_id, kind, grid, uid)
SELECT (SELECT id FROM marketdata.symbols y WHERE y.symbol = u.symbol) AS symbol_id, kind, grid, uid
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS u (symbol, kind, grid, uid)
ORDER BY symbol_id, kind, grid
ON CONFLICT (symbol_id, kind, grid) DO NOTHING;

-- lockSeries
SELECT n, revision
FROM (
	SELECT symbol_id, id, uid, n
	FROM unnest($1::integer[], $2::integer[], $3::bigint[]) WITH ORDINALITY AS u (symbol_id, id, uid, n)
	ORDER BY n OFFSET 0
) u CROSS JOIN LATERAL (
	SELECT revision FROM marketdata.series s
	WHERE (s.symbol_id, s.id, s.uid) = (u.symbol_id, u.id, u.uid) FOR NO KEY UPDATE) s;

-- lockFreeSeries
SELECT n, revision
FROM (
	SELECT symbol_id, id, uid, n
	FROM unnest($1::integer[], $2::integer[], $3::bigint[]) WITH ORDINALITY AS u (symbol_id, id, uid, n)
	ORDER BY n OFFSET 0
) u CROSS JOIN LATERAL (
	SELECT revision FROM marketdata.series s
	WHERE (s.symbol_id, s.id, s.uid) = (u.symbol_id, u.id, u.uid) FOR NO KEY UPDATE SKIP LOCKED) s;

-- updateSeries
UPDATE marketdata.series SET revision = revision + 1, nonce = $3 WHERE ctid = ANY(ARRAY(
	SELECT s.ctid FROM unnest($1::integer[], $2::integer[]) AS u (symbol_id, id)
	CROSS JOIN LATERAL (
		SELECT ctid FROM marketdata.series s WHERE (s.symbol_id, s.id) = (u.symbol_id, u.id) OFFSET 0
	) s
));

-- selectBlocks
SELECT n, block, rows, last_time, last_seq, revision, nonce, hash
FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
	AS u (symbol_id, series_id, from_block, to_block, n)
CROSS JOIN LATERAL (
	SELECT block, rows, last_time, last_seq, revision, nonce, hash FROM marketdata.blocks b
	WHERE (b.symbol_id, b.series_id) = (u.symbol_id, u.series_id) AND block >= from_block AND block < to_block OFFSET 0
) b;

-- deleteBlocks
DELETE FROM marketdata.blocks WHERE ctid = ANY(ARRAY(
	SELECT b.ctid FROM unnest($1::integer[], $2::integer[], $3::bigint[]) AS u (symbol_id, series_id, block)
	CROSS JOIN LATERAL (
		SELECT ctid FROM marketdata.blocks b
		WHERE (b.symbol_id, b.series_id, b.block) = (u.symbol_id, u.series_id, u.block) OFFSET 0
	) b
));

-- upsertBlocks
INSERT INTO marketdata.blocks (
	symbol_id, series_id, revision, nonce, block, rows, last_time, last_seq, hash, tail
)
SELECT symbol_id, series_id, revision, $1::bigint, block, rows, last_time, last_seq, hash,
	CASE WHEN appended THEN '{}' ELSE ARRAY[$1::bigint] END
FROM unnest($3::integer[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::bigint[],
	$10::boolean[], $11::bigint[])
	AS u (symbol_id, series_id, revision, block, rows, last_time, last_seq, appended, hash)
ON CONFLICT (symbol_id, series_id, block) DO UPDATE
SET revision = excluded.revision, nonce = excluded.nonce, rows = excluded.rows, last_time = excluded.last_time,
	last_seq = excluded.last_seq, hash = excluded.hash, tail = CASE
		WHEN excluded.tail = '{}' THEN (array_prepend(excluded.nonce, blocks.tail))[1:$2::integer] ELSE excluded.tail
	END;
