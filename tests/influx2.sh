#!/usr/bin/env bash
# Runs the tests of InfluxDB on InfluxDB 2: the contract, differential and production tests. The server is the program
# that MARKETDATA_TEST_INFLUX2 names, or is built into bin/. Where it cannot be built, the tests are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${MARKETDATA_TEST_INFLUX2:-}" ]; then
	export MARKETDATA_TEST_INFLUX2=$PWD/bin/influxd2
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	echo "building InfluxDB 2, some minutes the first time" >&2
	if ! .ci/influx2/build "$MARKETDATA_TEST_INFLUX2" 2>"$log"; then
		tail -n 20 "$log" >&2
		echo "SKIPPED test-influx2: InfluxDB 2 cannot be built here: $(tail -n 1 "$log")" \
			"(or name its influxd in MARKETDATA_TEST_INFLUX2)"
		exit 0
	fi
fi

export MARKETDATA_REQUIRE_SERVERS=1
go run ./tests/servers/cmd/with-servers \
	go test -timeout 9m ./adapters/store/influx ./tests/differential ./wiring/production
