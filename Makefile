# Versions of the linters: the same everywhere, nothing to install first.
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME    ?= 30s

# What runs on any store. The others are tested for what a store's server is, not for
# how many there are.
SEVERAL := ./leanmq ./leanmq/eventstore ./webhook ./gateway ./cmd/dlqctl

.PHONY: help test several race lint fuzz bench compare demo cluster

help: ## show this
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

test: ## all tests, on the embedded store and on redis-server if it is on PATH
	go test ./...

several: ## the tests of all stores, on a cluster of 6 and on a master with sentinels
	LEANMQ_STORES=cluster,sentinel go test $(SEVERAL)

race: ## all tests under the race detector
	go test -race ./...

lint: ## gofumpt, vet, staticcheck, golangci-lint (.golangci.yml)
	@out=$$(go run $(GOFUMPT) -l .); test -z "$$out" || { echo "gofumpt would change: $$out"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go run $(GOLANGCI) run ./...

fuzz: ## every fuzz target for FUZZTIME (30s, or 20000x for so many inputs)
	@set -e; for pkg in ./internal/store ./leanmq ./webhook; do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

bench: ## the benchmarks; compare with the Floor ones of the same run
	go test -run '^$$' -bench . -benchtime 2s ./leanmq ./gateway

compare: ## against the floor and its peers: minutes (bench/README.md)
	cd bench && go run .

demo: ## the example, on the embedded store
	go run ./examples/apigateway

cluster: ## a Redis Cluster to play with: prints its URL, Ctrl-C ends it
	@go run ./internal/redistest/cmd/cluster
