#!/usr/bin/env bash
# Installs the programs that the tests need: PostgreSQL, Redis and the C++ compiler of the race detector and of DuckDB from
# Debian's packages (as root or with sudo), and InfluxDB 1.8, which Go builds in about a minute. It skips an installed program,
# and a server that MARKETDATA_TEST_POSTGRES, MARKETDATA_TEST_INFLUX or MARKETDATA_TEST_REDIS names.
set -euo pipefail

influxdb=github.com/influxdata/influxdb/cmd/influxd@v1.8.10

have_postgres() { command -v postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres'; }
have_influxd() { PATH="$PATH:$(go env GOBIN):$(go env GOPATH)/bin" command -v influxd; }

packages=()
[ -n "${MARKETDATA_TEST_POSTGRES:-}" ] || have_postgres >/dev/null || packages+=(postgresql)
[ -n "${MARKETDATA_TEST_REDIS:-}" ] || command -v redis-server >/dev/null || packages+=(redis-server)
command -v g++ >/dev/null || packages+=(g++)

if [ ${#packages[@]} -gt 0 ]; then
	sudo=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || {
			echo "tests need ${packages[*]}: install them as root, or name running servers (see tests/servers/doc.go)" >&2
			exit 1
		}
		sudo=(sudo)
	fi
	echo "installing ${packages[*]}${sudo:+ with sudo}" >&2
	# The tests need no cluster, and Debian's package would create and start one.
	"${sudo[@]}" mkdir -p /etc/postgresql-common/createcluster.d
	echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.d/marketdata-tests.conf >/dev/null
	"${sudo[@]}" apt-get update -q >&2
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}" >&2
fi

if [ -z "${MARKETDATA_TEST_INFLUX:-}" ] && ! have_influxd >/dev/null; then
	echo "building InfluxDB 1.8, about a minute" >&2
	go install "$influxdb"
fi
