# Everything here works from a clean clone with Go and make alone; what a target
# needs beyond them it says.

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME  ?= 5m
ARGS      ?=
DAYS      ?= 7
SEED      ?= 1
GEN_OUT   ?= .

PROTOS := $(wildcard fsm/logpb/*.proto transport/peerpb/*.proto)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  Variables: ARGS (run, bench, failover), DAYS and SEED (simulate), FUZZTIME (fuzz), VERSION (build)'

.PHONY: build
build: ## Build bin/cronraft
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/cronraft ./cmd/cronraft

.PHONY: run
run: build ## Build and start a cluster of three nodes on this machine (ARGS='--http-port 9400')
	exec bin/cronraft dev $(ARGS)

# The race detector needs cgo, a C compiler and its headers.
RACE = $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && \
	echo '\#include <stdlib.h>' | $$($(GO) env CC) -E - >/dev/null 2>&1 && echo -race)

# Packages with tests in synctest bubbles. Timers of one bubble that fire on two
# CPUs at once crash the race detector (golang/go#78156), so these get one CPU;
# the simulations of whole clusters do without the detector.
BUBBLES = $(shell grep -rl '"testing/synctest"' --include='*_test.go' . | xargs -n1 dirname | sort -u)
OTHERS  = $(filter-out $(patsubst ./%,%,$(BUBBLES)),$(patsubst $(shell $(GO) list -m)/%,%,$(shell $(GO) list ./...)))

.PHONY: test
test: ## Run every test, with the race detector where there is a C compiler
	@race='$(RACE)'; \
	[ -n "$$race" ] || echo 'No working C compiler: testing without the race detector.' >&2; \
	set -x; \
	$(GO) test $$race -vet=off -timeout 15m $(addprefix ./,$(OTHERS)) && \
	$(GO) test $$race -cpu 1 -vet=off -timeout 15m $(BUBBLES) && \
	{ [ -z "$$race" ] || $(GO) test -vet=off -timeout 15m -run Simulated ./node; }

.PHONY: lint
lint: ## Check the format, go vet, staticcheck, the layers, the purity of the state machine
	@unformatted=$$(gofmt -l .); \
	[ -z "$$unformatted" ] || { echo "Not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; } >&2
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) test -vet=off ./internal/guard

.PHONY: check
check: lint test ## Everything that a commit has to pass: lint and test

.PHONY: bench-micro
bench-micro: ## Run the benchmarks of single packages
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: bench
bench: build ## Measure a whole cluster on this machine, beside its references (ARGS='due')
	$(GO) run ./cmd/bench $(ARGS)

.PHONY: simulate
simulate: ## Simulate a cluster under faults for DAYS (default 7) of its own time (SEED=1)
	CRONRAFT_SIM_DAYS=$(DAYS) CRONRAFT_SIM_SEED=$(SEED) CRONRAFT_SIM_OUT=$(CURDIR)/bin \
		$(GO) test -vet=off -count=1 -timeout 0 -v -run Simulated ./node

# Network faults need root, for namespaces, and iproute2 and nftables; failing
# disks need strace. What is missing is left out, and the table says so.
.PHONY: failover
failover: build ## Break a cluster of real processes in every way and check what it did (ARGS='--short --seed 7')
	$(GO) run ./cmd/failover --binary bin/cronraft $(ARGS)

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (default 5m)
	@grep -rEo '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sed 's|/[^/]*_test.go:func | |' | \
	while read -r dir target; do \
		echo "$$dir $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$dir" </dev/null || exit 1; \
	done

.PHONY: generate
generate: ## Rewrite the generated files (needs protoc)
	@command -v protoc >/dev/null || { \
		echo 'make generate needs protoc, the protocol buffer compiler:' >&2; \
		echo '  Debian, Ubuntu: apt-get install protobuf-compiler; macOS: brew install protobuf;' >&2; \
		echo '  else: https://github.com/protocolbuffers/protobuf/releases' >&2; \
		exit 1; }
	$(GO) build -o bin/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
	protoc --plugin=protoc-gen-go=bin/protoc-gen-go --go_out=$(GEN_OUT) --go_opt=paths=source_relative $(PROTOS)

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
