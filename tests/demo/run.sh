#!/usr/bin/env bash
# The demo of `make demo` and `make demo-servers`: a synthetic market made from a seed, imported, looked at.
#   tests/demo/run.sh COMMAND FOLDER             in a SQLite file in FOLDER
#   tests/demo/run.sh COMMAND FOLDER --servers   on the servers that tests/servers/cmd/with-servers names
set -euo pipefail
marketdata=$1
folder=$2

rm -rf "$folder"
mkdir -p "$folder"

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
	say "PostgreSQL holds bars from an hour up, trades and quotes; InfluxDB holds shorter bars"
	show migrate --output table
else
	export MARKETDATA_SQLITE_PATH=$folder/marketdata.db
fi

say "A synthetic market: three symbols that nobody trades, thirty days of one-minute bars, and their days"
"$marketdata" demo --dir "$folder" --output table
for file in "$folder"/*.csv; do # SYNTHETIC-ACORN-USD_1m.csv holds SYNTHETIC:ACORN/USD 1m
	name=$(basename "$file" .csv)
	IFS=- read -r venue base quote <<<"${name%_*}"
	show import --symbol "$venue:$base/$quote" --grid "${name#*_}" "$file" --output table
done
show coverage --output table
show fetch SYNTHETIC:ACORN/USD 1m --end 2024-01-31 --last 10 --output table
show fetch SYNTHETIC:ACORN/USD 1d --start 2024-01-20 --end 2024-01-31 --output table
if [ "${3-}" = --servers ]; then
	show doctor --output table
	say "That was on the servers that MARKETDATA_POSTGRES_DSN and MARKETDATA_INFLUX_URL named; they are private, and end now"
else
	say "That is all in $MARKETDATA_SQLITE_PATH; go on with $marketdata --db $MARKETDATA_SQLITE_PATH --help"
fi
