#!/usr/bin/env bash
# The demo of `make demo` and `make demo-servers`: writes a synthetic market, imports it and prints some of it.
#   tests/demo/run.sh COMMAND DIRECTORY             in a SQLite file in DIRECTORY
#   tests/demo/run.sh COMMAND DIRECTORY --servers   on the servers that tests/servers/cmd/with-servers names
set -euo pipefail
marketdata=$1
directory=$2

rm -rf "$directory"
mkdir -p "$directory"

bold='' plain=''
[ -t 1 ] && bold=$'\033[1m' plain=$'\033[0m'
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() {
	say "\$ marketdata $*"
	"$marketdata" "$@"
}

if [ "${3-}" = --servers ]; then
	export MARKETDATA_POSTGRES_DSN=$MARKETDATA_TEST_POSTGRES
	address=${MARKETDATA_TEST_INFLUX#*://} # user:password@host:port
	export MARKETDATA_INFLUX_URL=${MARKETDATA_TEST_INFLUX%%://*}://${address##*@}
	[ "$address" = "${address##*@}" ] || export MARKETDATA_INFLUX_TOKEN=${address%@*}
	export MARKETDATA_INFLUX_DATABASE=marketdata_demo
	say "PostgreSQL stores bars from 1h up, trades and quotes; InfluxDB stores bars below 1h"
	show migrate --output table
else
	export MARKETDATA_SQLITE_PATH=$directory/marketdata.db
fi

say "A synthetic market that ended yesterday: thirty days of one-minute bars for three symbols, and the daily bars"
"$marketdata" demo --dir "$directory" --output table
for file in "$directory"/*.csv; do # SYNTHETIC-ACORN-USD_1m.csv is SYNTHETIC:ACORN/USD 1m
	name=$(basename "$file" .csv)
	IFS=- read -r venue base quote <<<"${name%_*}"
	"$marketdata" import --symbol "$venue:$base/$quote" --frequency "${name#*_}" "$file" --output csv >"$directory/import.log" 2>&1 ||
		{ cat "$directory/import.log" && exit 1; }
done
show coverage --output table
show fetch SYNTHETIC:ACORN/USD 1m --last 5 --output table

say "Hours are not stored: they are resampled from the minutes"
show fetch SYNTHETIC:ACORN/USD 1h --last 5 --output table
show diff SYNTHETIC:ACORN/USD 1d --against 1m --output table

say "A gap: a day that nothing covers is not taken for a day without trades"
days=$directory/SYNTHETIC-CEDAR-USD_1d.csv
lost=$(tail -n 2 "$days" | head -n 1 | cut -c1-10) # the day before yesterday
last=$(tail -n 1 "$days" | cut -c1-10)             # yesterday
show delete SYNTHETIC:CEDAR/USD 1m --start "$lost" --end "$last" --yes --output table
show fetch SYNTHETIC:CEDAR/USD 4h --start "$lost" --output table
show fetch SYNTHETIC:CEDAR/USD 4h --start "$lost" --explain

say "A fix: rows with other values are refused, unless the import says what to do with them"
fix=$directory/fix.csv
{
	head -n 1 "$days"
	tail -n 1 "$days" | sed 's/,[0-9]*$/,99999/' # another number of trades
} >"$fix"
show import --symbol SYNTHETIC:CEDAR/USD --frequency 1d "$fix" --output table || true
show import --symbol SYNTHETIC:CEDAR/USD --frequency 1d --on-conflict replace "$fix" --output table
show fetch SYNTHETIC:CEDAR/USD 1d --last 2 --output table

say "For a notebook: pandas, polars and DuckDB read the file"
show export SYNTHETIC:ACORN/USD 1m "$directory/acorn.parquet" --output table
if [ "${3-}" = --servers ]; then
	show doctor --output table
	say "The data was on private servers, named by MARKETDATA_POSTGRES_DSN and MARKETDATA_INFLUX_URL, which stop now"
else
	say "The data is in $MARKETDATA_SQLITE_PATH; continue with $marketdata --db $MARKETDATA_SQLITE_PATH --help"
fi
