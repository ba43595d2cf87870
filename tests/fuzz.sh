#!/usr/bin/env bash
# Runs every fuzz target for the time given, with flags of go build: tests/fuzz.sh 30s -gcflags=.... As many targets run at
# a time as there are processors, each in one worker. An input that fails is kept in the testdata of its package, and fails
# from then on.
set -euo pipefail
shopt -s inherit_errexit # a program that does not compile ends the script
export budget=${1:?how long each target runs, like 30s}
flags=("${@:2}")
cache=$(go env GOCACHE)/fuzz/marketdata
programs=$(mktemp -d)
export cache programs
trap 'rm -rf "$programs"' EXIT

# list builds one program per package, all at once, and prints DIRECTORY PROGRAM TARGET for each target. Building it again
# for each target would take most of a short run. `go test -fuzz` would instrument the standard library and SQLite too,
# which takes minutes; make test-deep passes flags that instrument our code only.
list() {
	local directories directory program
	directories=$(grep -rl '^func Fuzz' --include='*_test.go' . | xargs -n 1 dirname | sort -u)
	go test -vet=off -c "${flags[@]}" -o "$programs" $directories
	for directory in $directories; do
		program=$programs/${directory##*/}.test
		(cd "$directory" && "$program" -test.list '^Fuzz') | sed "s|^|$directory $program |"
	done
}

# fuzz DIRECTORY PROGRAM TARGET runs a target, and again if it fails: the engine now and then reports its own deadline
# as a failure, but an input that really fails is kept and fails again.
fuzz() {
	local directory=$1 program=$2 target=$3 out
	for _ in 1 2; do
		# Without the minimize time the engine can spend all of its time shortening inputs that show nothing wrong.
		if out=$(cd "$directory" && "$program" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$budget" \
			-test.fuzzminimizetime 1x -test.parallel 1 -test.fuzzcachedir "$cache/$directory" 2>&1); then
			echo "ok   $directory $target, $(grep -o 'execs: [0-9]*' <<<"$out" | tail -1)"
			return
		fi
	done
	printf 'FAIL %s %s\n%s\n' "$directory" "$target" "$out"
	return 1
}
export -f fuzz

targets=$(list)
xargs -P "$(nproc)" -L 1 bash -c 'fuzz "$@"' fuzz <<<"$targets"
