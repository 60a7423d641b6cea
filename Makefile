# Go, make and git are enough for everything but lint, fmt and dead, which build their pinned tools into .bin/ once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

GO ?= go

# What to work on, and with which flags: make test PKGS=./internal/push/... TESTFLAGS=-v
PKGS ?= ./...
TESTFLAGS ?=

# make demo BACKEND=aws ARGS='…'
BACKEND ?=
ARGS ?=
backend = $(if $(BACKEND),--backend $(BACKEND))

BENCH ?= .
BENCH_PKGS ?= ./internal/...
# Measures whole processes; runs after the package benchmarks.
BENCH_PROCESS ?= $(GO) run ./cmd/belfry bench --fcm-per-second 100000

FUZZTIME ?= 10s
FUZZ ?= ^Fuzz

# Tools, pinned. The version is in the file name: a new version is a new file.
BIN := $(CURDIR)/.bin
GOLANGCI_VERSION := v2.15.0
DEADCODE_VERSION := v0.49.0
GOLANGCI ?= $(BIN)/golangci-lint-$(GOLANGCI_VERSION)
DEADCODE ?= $(BIN)/deadcode-$(DEADCODE_VERSION)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Show everything in a minute: accept, fan out, deliver, fail, replay (BACKEND=, ARGS=)
	@$(if $(filter aws,$(BACKEND)),$(GO) run ./test/standins/cmd/aws-local )$(GO) run ./cmd/belfry demo $(backend) $(ARGS)

.PHONY: run
run: ## Run ingest, dispatcher and the FCM simulator in one process (BACKEND=, ARGS=)
	@$(GO) run ./cmd/belfry up --sandbox $(backend) $(ARGS)

.PHONY: build
build: ## Build the commands into bin/
	$(GO) build -o bin/ ./cmd/...

.PHONY: test
test: ## Run the tests in random order (PKGS=, TESTFLAGS=)
	$(GO) test -shuffle=on -count=1 $(TESTFLAGS) $(PKGS)
	@$(if $(filter ./...,$(PKGS)),$(GO) run ./test/standins/cmd/aws-local -check)
	@$(if $(filter ./...,$(PKGS)),command -v chromium chromium-browser chromium-headless-shell google-chrome google-chrome-stable >/dev/null || echo "browser tests left out: install chromium")

.PHONY: test-aws
test-aws: ## The drivers' suites against a real AWS account, which costs a little (BELFRY_AWS_E2E=1 and credentials)
	@[[ "$${BELFRY_AWS_E2E:-}" = 1 ]] || { echo "make test-aws: creates and removes resources in your AWS account: set BELFRY_AWS_E2E=1 to say yes" >&2; exit 1; }
	$(GO) test -count=1 $(TESTFLAGS) ./internal/adapter/sqs/... ./internal/adapter/sns/... ./internal/adapter/dynamo/... ./internal/adapter/s3/...

.PHONY: aws-local
aws-local: ## Run the stand-ins for AWS on loopback until Ctrl-C (needs Node 20)
	@$(GO) run ./test/standins/cmd/aws-local

.PHONY: race
race: ## The tests under the race detector, which needs a C compiler (PKGS=, TESTFLAGS=)
	@cc=$$($(GO) env CC); command -v "$${cc%% *}" >/dev/null || { echo "make race: the race detector needs cgo, and there is no C compiler ($$cc): install gcc" >&2; exit 1; }
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -count=1 -timeout 30m $(TESTFLAGS) $(PKGS)

.PHONY: cover
cover: ## Test coverage of the whole module, as .cover/index.html
	@mkdir -p .cover
	$(GO) test -count=1 -coverpkg=./... -coverprofile=.cover/cover.out $(TESTFLAGS) $(PKGS)
	@$(GO) tool cover -html=.cover/cover.out -o .cover/index.html
	@$(GO) tool cover -func=.cover/cover.out | tail -n 1

.PHONY: bench
bench: ## Run the benchmarks (BENCH=regexp, BENCH_PKGS=, BENCH_PROCESS=command)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(TESTFLAGS) $(BENCH_PKGS)
	$(BENCH_PROCESS)

.PHONY: bench-batch
bench-batch: build ## Measure a batch of a million recipients: upload, sending, watching, report (ARGS='--recipients 100000')
	bin/belfry bench --separate --recipients 1000000 $(ARGS)

LETTERS ?= 1000000

.PHONY: bench-letters
bench-letters: ## Dead letters at scale: drain, groups, list and replay of LETTERS, default a million (Linux)
	$(GO) test -run '^$$' -bench '^BenchmarkDeadLetters$$' -timeout 60m ./test/replay -letters $(LETTERS)

.PHONY: walkthrough
walkthrough: ## Run the commands of docs/dead-letters.md and write what they print into it
	$(GO) test -count=1 -run '^TestWalkthrough$$' ./test/docs -update

# go test fuzzes one target of one package at a time. The list is made first, so that a package that
# does not build stops everything; "ok <package>" follows the names of its targets.
.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME, default 10s each (PKGS=, FUZZ=regexp)
	@list=$$($(GO) test -list '$(FUZZ)' $(PKGS)); \
	targets=$$(awk '/^Fuzz/ { names[++n] = $$1 } /^ok/ { for (i = 1; i <= n; i++) print $$2, names[i]; n = 0 }' <<<"$$list"); \
	[[ -n $$targets ]] || { echo "make fuzz: no target matches $(FUZZ) in $(PKGS)" >&2; exit 1; }; \
	while read -r pkg name; do \
		echo "$$pkg $$name"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg" </dev/null; \
	done <<<"$$targets"

.PHONY: lint
lint: $(GOLANGCI) ## Check style, layering and formatting (the first run builds the linter: some minutes)
	$(GOLANGCI) run $(PKGS)

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the code
	$(GOLANGCI) fmt

.PHONY: dead
dead: $(DEADCODE) ## List functions that nothing reaches
	$(DEADCODE) -test $(PKGS)

.PHONY: verify
verify: ## Fail if go.mod or generated files are not what the sources say
	$(GO) mod tidy
	$(GO) generate ./...
	git diff --exit-code

.PHONY: ci
ci: lint test ## What CI runs: lint and test

.PHONY: tools
tools: $(GOLANGCI) $(DEADCODE) ## Build the pinned tools into .bin/

.PHONY: clean
clean: ## Remove what make built, but not the tools
	rm -rf bin .cover

# $(call install,package@version): go install names the file after the package, so it is built aside
# and moved, and what stands in .bin/ is whole.
define install
	@echo "building $(1) into $(@D) (once)"
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	GOBIN="$$dir" $(GO) install $(1); \
	mkdir -p $(@D); mv "$$dir"/* $@
endef

$(BIN)/golangci-lint-$(GOLANGCI_VERSION):
	$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION))

$(BIN)/deadcode-$(DEADCODE_VERSION):
	$(call install,golang.org/x/tools/cmd/deadcode@$(DEADCODE_VERSION))
