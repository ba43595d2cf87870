-- selectIntents
SELECT n, id, start_time, end_time, expires, owner, expires > clock_timestamp()
FROM (
	SELECT symbol_id, series_id, range_start, range_end, n
	FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY
		AS u (symbol_id, series_id, range_start, range_end, n) ORDER BY n OFFSET 0
) u CROSS JOIN LATERAL (
	SELECT id, start_time, end_time, expires, owner FROM marketdata.intents i
	WHERE (i.symbol_id, i.series_id) = (u.symbol_id, u.series_id) AND start_time < range_end AND end_time > range_start
	FOR UPDATE
) i;

-- deleteIntents
DELETE FROM marketdata.intents WHERE ctid = ANY(ARRAY(
	SELECT i.ctid FROM unnest($1::integer[], $2::integer[], $3::timestamptz[]) AS u (symbol_id, series_id, start_time)
	CROSS JOIN LATERAL (
		SELECT ctid FROM marketdata.intents i
		WHERE (i.symbol_id, i.series_id, i.start_time) = (u.symbol_id, u.series_id, u.start_time) OFFSET 0
	) i
));

-- insertIntents
INSERT INTO marketdata.intents (symbol_id, series_id, id, start_time, end_time, took_start, took_end, owner, expires)
SELECT symbol_id, series_id, id, start_time, end_time, took_start, took_end, owner,
	coalesce(expires, clock_timestamp() + interval '30 s')
FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
	$7::timestamptz[], $8::text[], $9::timestamptz[])
	AS u (symbol_id, series_id, id, start_time, end_time, took_start, took_end, owner, expires);

-- endIntents
DELETE FROM marketdata.intents i
USING unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::bigint[]) WITH ORDINALITY
	AS u (symbol_id, series_id, start_time, end_time, id, n)
WHERE (i.symbol_id, i.series_id, i.start_time, i.end_time, i.id) =
	(u.symbol_id, u.series_id, u.start_time, u.end_time, u.id)
RETURNING n;

-- selectLedger
SELECT q.n, h.revision, h.nonce, c.starts, c.ends, b.numbers, b.rows, b.revisions, b.nonces, b.hashes, (
	SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.numbers[cardinality(b.numbers)]
), i.starts, i.ends
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) WITH ORDINALITY
	AS q (symbol, kind, grid, known_revision, known_nonce, from_block, to_block, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id AS series_id, revision, nonce, (revision, nonce) = (q.known_revision, q.known_nonce) AS is_known
	FROM marketdata.series s WHERE s.symbol_id = (SELECT id FROM marketdata.symbols y WHERE y.symbol = q.symbol)
		AND s.kind = q.kind AND s.grid = q.grid OFFSET 0
) h
CROSS JOIN LATERAL (
	SELECT array_agg(start_time) AS starts, array_agg(end_time) AS ends FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND NOT h.is_known ORDER BY start_time
	) ranges
) c
CROSS JOIN LATERAL (
	SELECT array_agg(block) AS numbers, array_agg(rows) AS rows, array_agg(revision) AS revisions,
		array_agg(nonce) AS nonces, array_agg(hash) AS hashes
	FROM (
		SELECT block, rows, revision, nonce, hash FROM marketdata.blocks
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id)
			AND block >= q.from_block AND block < q.to_block AND NOT h.is_known ORDER BY block
	) ascending
) b
CROSS JOIN LATERAL (
	SELECT array_agg(took_start) AS starts, array_agg(took_end) AS ends FROM marketdata.intents
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id)
		AND took_start IS NOT NULL AND expires > clock_timestamp()
) i;

-- renewIntents
WITH whole AS (
	SELECT i.symbol_id, i.series_id, i.start_time
	FROM (
		SELECT s.symbol_id, s.series_id, u.id, u.start_time, u.end_time
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
			AS u (symbol, kind, grid, id, start_time, end_time)
		CROSS JOIN LATERAL (
			SELECT symbol_id, id AS series_id FROM marketdata.series s WHERE s.symbol_id = (
				SELECT id FROM marketdata.symbols y WHERE y.symbol = u.symbol
			) AND s.kind = u.kind AND s.grid = u.grid OFFSET 0
		) s ORDER BY s.symbol_id, s.series_id OFFSET 0
	) u CROSS JOIN LATERAL (
		SELECT symbol_id, series_id, start_time FROM marketdata.intents i
		WHERE (i.symbol_id, i.series_id, i.start_time, i.id, i.end_time) =
			(u.symbol_id, u.series_id, u.start_time, u.id, u.end_time) FOR UPDATE
	) i
)
UPDATE marketdata.intents i SET expires = clock_timestamp() + interval '30 s'
FROM whole w WHERE (i.symbol_id, i.series_id, i.start_time) = (w.symbol_id, w.series_id, w.start_time)
RETURNING i.id;

-- abandonIntents
WITH whole AS (
	SELECT i.symbol_id, i.series_id, i.start_time
	FROM (
		SELECT s.symbol_id, s.series_id, u.id, u.start_time, u.end_time
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
			AS u (symbol, kind, grid, id, start_time, end_time)
		CROSS JOIN LATERAL (
			SELECT symbol_id, id AS series_id FROM marketdata.series s WHERE s.symbol_id = (
				SELECT id FROM marketdata.symbols y WHERE y.symbol = u.symbol
			) AND s.kind = u.kind AND s.grid = u.grid OFFSET 0
		) s ORDER BY s.symbol_id, s.series_id OFFSET 0
	) u CROSS JOIN LATERAL (
		SELECT symbol_id, series_id, start_time FROM marketdata.intents i
		WHERE (i.symbol_id, i.series_id, i.start_time, i.id, i.end_time) =
			(u.symbol_id, u.series_id, u.start_time, u.id, u.end_time) FOR UPDATE
	) i
)
UPDATE marketdata.intents i SET expires = clock_timestamp()
FROM whole w WHERE (i.symbol_id, i.series_id, i.start_time) = (w.symbol_id, w.series_id, w.start_time)
RETURNING i.id;

-- selectExpiredIntents
SELECT symbol, grid, kind, start_time, end_time, owner, expires
FROM (SELECT symbol_id, series_id, start_time, end_time, owner, expires FROM marketdata.intents
	WHERE expires <= clock_timestamp() ORDER BY expires, start_time LIMIT $1) i
JOIN marketdata.series s ON s.symbol_id = i.symbol_id AND s.id = i.series_id
JOIN marketdata.symbols y ON y.id = i.symbol_id ORDER BY expires, start_time;

-- selectLedgerSeries
SELECT symbol, grid, kind, start_time, end_time
FROM marketdata.series s JOIN marketdata.symbols y ON y.id = s.symbol_id
LEFT JOIN marketdata.coverage c ON c.symbol_id = s.symbol_id AND c.series_id = s.id
WHERE kind LIKE 'ledger %' AND revision > 0;

-- selectLedgerSeriesOfSymbols
SELECT symbol, grid, kind, start_time, end_time
FROM marketdata.series s JOIN marketdata.symbols y ON y.id = s.symbol_id
LEFT JOIN marketdata.coverage c ON c.symbol_id = s.symbol_id AND c.series_id = s.id
WHERE kind LIKE 'ledger %' AND revision > 0 AND symbol = ANY($1);
