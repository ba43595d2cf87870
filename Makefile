# marketdata: `make demo` shows it, `make test` proves it, `make verify` keeps it in order. `make help` lists the rest.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
GO          ?= go
BIN         := bin
DEMO        := $(BIN)/demo

# `make test` builds everything once, with the race detector: the command that tests/e2e runs, the other modules and the fuzz
# programs have the flags of the tests. The race detector watches our code, not the C of SQLite that modernc.org translates to
# Go, which would take ten times the time, and does not sleep for a second as each program ends. Nobody debugs these programs.
RACE        := GORACE=atexit_sleep_ms=0 GOFLAGS="$$($(GO) env GOFLAGS) -race -gcflags=all=-dwarf=false \
               -gcflags=modernc.org/...=-d=checkptr=0 -gcflags=modernc.org/libc/...=-race=false \
               -gcflags=modernc.org/sqlite/lib=-race=false"
# `make verify` vets. Four test programs run at a time, because those on servers mostly wait; the slowest begin first.
SLOWEST     := ./wiring/production ./adapters/store/postgres ./adapters/store/influx ./app
TEST        := $(RACE) MARKETDATA_REQUIRE_SERVERS=1 $(GO) run ./tests/servers/cmd/with-servers $(GO) test -vet=off -p 4

.DEFAULT_GOAL := help
.PHONY: help build demo demo-servers servers test compile-tests test-packages test-modules test-influx2 test-deep mutants
.PHONY: bench generate verify cross lint release clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the command into bin/
	@$(GO) build -o $(BIN)/ ./cmd/marketdata

demo: build ## make a synthetic market, import it, look at it; no server needed
	@tests/demo/run.sh $(BIN)/marketdata $(DEMO)

demo-servers: build servers ## the same demo on a private PostgreSQL and InfluxDB
	@$(GO) run ./tests/servers/cmd/with-servers tests/demo/run.sh $(BIN)/marketdata $(DEMO) --servers

servers: ## install what `make test` starts: PostgreSQL, InfluxDB 1.8, Redis
	@tests/servers/install.sh

test: ## everything, with the race detector, on private servers
	@$(MAKE) --no-print-directory -j 2 servers compile-tests
	@$(MAKE) --no-print-directory -j 2 test-packages test-modules
	$(RACE) tests/fuzz.sh 1s

compile-tests: # beside the installation of the servers, which may have to install the C compiler first: then it does nothing
	@$(RACE) $(GO) list -export -test -deps ./... >/dev/null 2>&1 || true

test-packages:
	$(TEST) -timeout 20m $(SLOWEST) ./...

test-modules:
	$(RACE) $(GO) -C tests/external test ./...
	$(RACE) $(GO) -C tests/parquet test ./...

test-influx2: servers ## the tests of InfluxDB on InfluxDB 2.7, which cargo and Go build once; skipped without cargo
	tests/influx2.sh

test-deep: servers ## the long form: many more random checks, the laws under each cache, each fuzz target for 30 s; takes hours
	MARKETDATA_TEST_DEEP=1 RAPID_CHECKS=500 $(TEST) -timeout 4h ./...
	tests/fuzz.sh 30s -gcflags='github.com/gal-friday/...=-d=libfuzzer'

mutants: ## make an error at a time in the program, and count those that the tests notice; 20 minutes
	$(GO) run ./tests/mutants

bench: ## the speed of each path, beside its baseline
	$(GO) test -run '^$$' -bench . -benchtime 1x ./tests/bench

generate: ## write the generated code again: injectors, mocks, kernels
	$(GO) generate ./...

verify: lint cross ## lint; generated code is fresh; tidy, vetted, formatted; builds everywhere; licenses; dependency rules
	$(GO) tool wire diff ./...
	.ci/fresh $(GO) generate ./...
	$(GO) mod tidy -diff
	$(GO) -C .ci/lint mod tidy -diff
	$(GO) -C .ci/release mod tidy -diff
	$(GO) -C tests/external mod tidy -diff
	$(GO) -C tests/parquet mod tidy -diff
	$(GO) vet ./...
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'gofmt: run gofmt -w on the files above'; exit 1; }
	$(GO) test ./tests/arch
	$(GO) -C .ci/release vet . && $(GO) -C .ci/release test -count=1 .
	$(GO) -C .ci/release run . check ../..

cross: ## compile everything for the other platforms, without cgo
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build ./...

lint:
	@$(GO) -C .ci/lint build -o ../../$(BIN)/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	$(BIN)/golangci-lint run ./...

release: ## the command for every platform, with checksums, license texts and a list of what is linked, in bin/release
	$(GO) -C .ci/release run . build ../.. ../../$(BIN)/release

clean: ## remove what was built
	rm -rf $(BIN)
