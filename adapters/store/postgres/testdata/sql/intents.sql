-- selectIntents
SELECT id, start_time, end_time, expires, owner, expires > clock_timestamp()
FROM marketdata.intents WHERE symbol_id = $1 AND series_id = $2 AND start_time < $4 AND end_time > $3 FOR UPDATE;

-- deleteIntent
DELETE FROM marketdata.intents WHERE symbol_id = $1 AND series_id = $2 AND start_time = $3;

-- insertIntent
INSERT INTO marketdata.intents (symbol_id, series_id, id, start_time, end_time, owner, expires)
VALUES ($1, $2, $3, $4, $5, $6, $7);

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

-- insertNewIntent
INSERT INTO marketdata.intents (symbol_id, series_id, id, start_time, end_time, took_start, took_end, owner, expires)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp() + interval '30 s');

-- renewIntent
UPDATE marketdata.intents i SET expires = clock_timestamp() + interval '30 s'
FROM marketdata.series s WHERE s.symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND s.kind = $2 AND s.grid = $3
	AND (i.symbol_id, i.series_id) = (s.symbol_id, s.id) AND i.id = $4 AND i.start_time = $5 AND i.end_time = $6
RETURNING i.id;

-- abandonIntent
UPDATE marketdata.intents i SET expires = clock_timestamp()
FROM marketdata.series s WHERE s.symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND s.kind = $2 AND s.grid = $3
	AND (i.symbol_id, i.series_id) = (s.symbol_id, s.id) AND i.id = $4 AND i.start_time = $5 AND i.end_time = $6
RETURNING i.id;

-- selectLedgerSeries
SELECT symbol, grid, kind, start_time, end_time
FROM marketdata.series s JOIN marketdata.symbols y ON y.id = s.symbol_id
LEFT JOIN marketdata.coverage c ON c.symbol_id = s.symbol_id AND c.series_id = s.id WHERE grid <> '' AND revision > 0;

-- selectLedgerSeriesOfSymbols
SELECT symbol, grid, kind, start_time, end_time
FROM marketdata.series s JOIN marketdata.symbols y ON y.id = s.symbol_id
LEFT JOIN marketdata.coverage c ON c.symbol_id = s.symbol_id AND c.series_id = s.id WHERE grid <> '' AND revision > 0 AND symbol = ANY($1);
