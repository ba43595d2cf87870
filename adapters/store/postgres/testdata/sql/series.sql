-- selectVersioned
SELECT (SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = to_regclass('marketdata.series'));

-- selectSeries
SELECT symbol_id, id, uid FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND kind = $2 AND grid = $3;

-- insertSeries
INSERT INTO marketdata.series (symbol_id, kind, grid, uid)
SELECT id, $2, $3, $4 FROM marketdata.symbols WHERE symbol = $1
ON CONFLICT (symbol_id, kind, grid) DO NOTHING;

-- lockSeries
UPDATE marketdata.series SET revision = revision + 1, nonce = $4 WHERE symbol_id = $1 AND id = $2 AND uid = $3
RETURNING revision;

-- selectBlocks
SELECT block, rows, last_time, last_seq, revision, nonce, hash FROM marketdata.blocks
WHERE symbol_id = $1 AND series_id = $2 AND block >= $3 AND block < $4;

-- deleteBlocks
DELETE FROM marketdata.blocks WHERE symbol_id = $1 AND series_id = $2 AND block = ANY($3);

-- upsertBlocks
INSERT INTO marketdata.blocks (symbol_id, series_id, revision, nonce, block, rows, last_time, last_seq, hash, tail)
SELECT $1, $2, $3, $4::bigint, block, rows, last_time, last_seq, hash, (array_prepend($4::bigint, (
	SELECT tail FROM marketdata.blocks b WHERE appended AND b.symbol_id = $1 AND b.series_id = $2 AND b.block = u.block
)))[1:$5::integer]
FROM unnest($6::bigint[], $7::bigint[], $8::timestamptz[], $9::bigint[], $10::boolean[],
	$11::bigint[]) AS u (block, rows, last_time, last_seq, appended, hash)
ON CONFLICT (symbol_id, series_id, block) DO UPDATE
SET revision = excluded.revision, nonce = excluded.nonce, rows = excluded.rows, last_time = excluded.last_time,
	last_seq = excluded.last_seq, hash = excluded.hash, tail = excluded.tail;
