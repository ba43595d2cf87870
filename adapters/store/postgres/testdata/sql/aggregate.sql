-- aggregateFixed
SELECT bar, first.price, high, low, last.price, volume, trades, broken
FROM (
	SELECT date_bin($4::interval, time, $5::timestamptz) AS bar, max(price) AS high, min(price) AS low, sum(size) AS volume, count(*) AS trades,
		min(time) AS first_time, max(time) AS last_time, count(*) FILTER (WHERE (size >= 0 AND seq >= 0 AND side BETWEEN 0 AND 2 AND min_scale(price) <= 18 AND min_scale(size) <= 18) IS NOT TRUE) AS broken
	FROM marketdata.trades WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time >= $2 AND time < $3
	GROUP BY bar
) bars
CROSS JOIN LATERAL (
	SELECT price FROM marketdata.trades WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time = first_time ORDER BY seq LIMIT 1
) first
CROSS JOIN LATERAL (
	SELECT price FROM marketdata.trades WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time = last_time ORDER BY seq DESC LIMIT 1
) last
ORDER BY bar;

-- aggregateCalendar
SELECT bar, first.price, high, low, last.price, volume, trades, broken
FROM (
	SELECT ($4::timestamptz[])[width_bucket(time, $4::timestamptz[])] AS bar, max(price) AS high, min(price) AS low, sum(size) AS volume, count(*) AS trades,
		min(time) AS first_time, max(time) AS last_time, count(*) FILTER (WHERE (size >= 0 AND seq >= 0 AND side BETWEEN 0 AND 2 AND min_scale(price) <= 18 AND min_scale(size) <= 18) IS NOT TRUE) AS broken
	FROM marketdata.trades WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time >= $2 AND time < $3
	GROUP BY bar
) bars
CROSS JOIN LATERAL (
	SELECT price FROM marketdata.trades WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time = first_time ORDER BY seq LIMIT 1
) first
CROSS JOIN LATERAL (
	SELECT price FROM marketdata.trades WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time = last_time ORDER BY seq DESC LIMIT 1
) last
ORDER BY bar;

-- selectTradeBounds
SELECT min(time), max(time) FROM marketdata.trades
WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time >= $2 AND time < $3;
