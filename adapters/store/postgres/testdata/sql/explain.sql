-- setArguments
SELECT count(set_config('marketdata.argument_' || n, value, true))
FROM unnest($1::text[]) WITH ORDINALITY AS u (value, n);

-- explainRead
EXPLAIN (FORMAT TEXT) EXECUTE statement(current_setting('marketdata.argument_1'), current_setting('marketdata.argument_2'), current_setting('marketdata.argument_3'), current_setting('marketdata.argument_4')::timestamptz, current_setting('marketdata.argument_5')::timestamptz);

-- explainRead limited
EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE statement(current_setting('marketdata.argument_1'), current_setting('marketdata.argument_2'), current_setting('marketdata.argument_3'), current_setting('marketdata.argument_4')::timestamptz, current_setting('marketdata.argument_5')::timestamptz, current_setting('marketdata.argument_6')::bigint);

-- selectTableStats
SELECT u.place, format('%I.%I', n.nspname, c.relname),
	format('%I.%I', coalesce(pn.nspname, n.nspname), coalesce(p.relname, c.relname)),
	coalesce(pg_relation_size(c.oid), 0),
	CASE WHEN ours THEN substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz END,
	CASE WHEN ours THEN substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz END,
	greatest(coalesce(st.n_live_tup, 0), c.reltuples::bigint, 0), coalesce(st.n_dead_tup, 0),
	coalesce(st.n_mod_since_analyze, 0), c.reltuples < 0, x.names, x.columns, x.usable
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (schema, name, place)
JOIN pg_namespace n ON n.nspname = u.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = u.name
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_class p ON p.oid = i.inhparent
LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
LEFT JOIN pg_stat_all_tables st ON st.relid = c.oid
CROSS JOIN LATERAL (SELECT coalesce(pn.nspname = 'marketdata' AND p.relname = 'bars', false) AS ours) o
CROSS JOIN LATERAL (
	SELECT coalesce(array_agg(format('%I.%I', n.nspname, ic.relname)), '{}') AS names,
		coalesce(array_agg(ix.indisvalid AND ix.indisready), '{}') AS usable,
		coalesce(array_agg(coalesce((
			SELECT string_agg(a.attname, ', ' ORDER BY k.place)
			FROM unnest(ix.indkey) WITH ORDINALITY AS k (number, place)
			JOIN pg_attribute a ON a.attrelid = ix.indrelid AND a.attnum = k.number), '')), '{}') AS columns
	FROM pg_index ix JOIN pg_class ic ON ic.oid = ix.indexrelid
	WHERE ix.indrelid = c.oid AND ix.indpred IS NULL
) x
ORDER BY u.place;
