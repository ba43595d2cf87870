#!/usr/bin/env bash
# Runs every fuzz target for the time given: tests/fuzz.sh 30s. What it finds is kept in the package's testdata, and fails.
set -euo pipefail
budget=${1:?how long each target runs, like 30s}

fuzz() {
	# Without the last flag the engine can spend all of its time shortening inputs that show nothing wrong.
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$budget" -fuzzminimizetime 1x "$1"
}

go test -list '^Fuzz' -json ./... | sed -n 's/.*"Package":"\([^"]*\)","Output":"\(Fuzz[A-Za-z0-9_]*\)\\n".*/\1 \2/p' |
	while read -r package target; do
		echo "$package $target"
		# The engine now and then reports its own deadline as a failure. An input that really fails is kept, and fails again.
		fuzz "$package" "$target" || fuzz "$package" "$target"
	done
