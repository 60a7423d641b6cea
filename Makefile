# Go, make and git are enough for everything but lint, fmt, dead and vuln, which build their pinned tools into .bin/ once.

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

# The path under which the site of make docs-site will stand, such as /belfry/
SITE_BASE ?= /

BENCH ?= .
BENCH_PKGS ?= ./internal/...

FUZZTIME ?= 10s
FUZZ ?= ^Fuzz

# Tools, pinned. The version is in the file name: a new version is a new file.
BIN := $(CURDIR)/.bin
GOLANGCI_VERSION := v2.15.0
DEADCODE_VERSION := v0.49.0
GOVULNCHECK_VERSION := v1.9.0
NFPM_VERSION := v2.48.0
CYCLONEDX_VERSION := v1.10.0
ACTIONLINT_VERSION := v1.7.12
GOLANGCI ?= $(BIN)/golangci-lint-$(GOLANGCI_VERSION)
DEADCODE ?= $(BIN)/deadcode-$(DEADCODE_VERSION)
GOVULNCHECK ?= $(BIN)/govulncheck-$(GOVULNCHECK_VERSION)
NFPM ?= $(BIN)/nfpm-$(NFPM_VERSION)
CYCLONEDX ?= $(BIN)/cyclonedx-gomod-$(CYCLONEDX_VERSION)
ACTIONLINT ?= $(BIN)/actionlint-$(ACTIONLINT_VERSION)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# $(call compile,packages): into bin/. A first build takes minutes, so it says at once what it does, and how far it is. The console
# is built beside what the programs depend on, where Node is; then both are linked.
define compile
	@echo "compiling $(strip $(1)) into bin/ (the first time takes some minutes, later a second)"
	@count() { awk '/[ :]/ { print; next } ++n % 50 == 0 { print "  " n " packages compiled" } { fflush() }'; }; \
	web/build.sh & \
	$(GO) build -v $$($(GO) list -deps -f '{{if and .Module (ne .Name "main")}}{{.ImportPath}}{{end}}' $(1)) 2>&1 | count; \
	wait; \
	$(GO) build -v -o bin/ $(1) 2>&1 | count
endef

.PHONY: demo
demo: ## Show everything in a minute: accept, fan out, deliver, fail, replay (BACKEND=, ARGS=)
	$(call compile,./cmd/belfry $(if $(filter aws,$(BACKEND)),./test/standins/cmd/aws-local))
	@$(if $(filter aws,$(BACKEND)),bin/aws-local )bin/belfry demo $(backend) $(ARGS)

.PHONY: demo-outage
demo-outage: ## Play an outage of FCM: status, alert, runbook, recovery, trace, in a minute (BACKEND=, ARGS=)
	@$(MAKE) demo ARGS="--outage $(ARGS)"

.PHONY: run
run: ## Run ingest, dispatcher and the FCM simulator in one process (BACKEND=, ARGS=)
	$(call compile,./cmd/belfry)
	@bin/belfry up --sandbox $(backend) $(ARGS)

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

need-cc = cc=$$($(GO) env CC); command -v "$${cc%% *}" >/dev/null || { echo "make $@: the race detector needs cgo, and there is no C compiler ($$cc): install gcc" >&2; exit 1; }

# SQLite in Go is translated from C: watching it finds no race of ours, and takes three times as long.
.PHONY: race
race: ## The tests under the race detector, which needs a C compiler (PKGS=, TESTFLAGS=)
	@$(need-cc)
	CGO_ENABLED=1 $(GO) test -race -gcflags='modernc.org/...=-race=false' -ldflags=-w -shuffle=on -count=1 -timeout 30m $(TESTFLAGS) $(PKGS)

# The tests of every package cover all packages: a suite that runs in an adapter's test also covers the port.
covered := ./client/...,./internal/...

# Many packages wait for processes and for stand-ins more than they compute.
TESTJOBS ?= $(shell echo $$((2 * $$(nproc 2>/dev/null || echo 2))))

.PHONY: cover
cover: ## Run the tests with coverage: .cover/index.html, and no package below its floor in test/coverage/floors.txt
	@rm -rf .cover && mkdir -p .cover/data
	$(GO) test -p $(TESTJOBS) -ldflags=-w -shuffle=on -count=1 -timeout 25m -coverpkg=$(covered) $(TESTFLAGS) $(PKGS) -args -test.gocoverdir=$(CURDIR)/.cover/data
	@$(GO) tool covdata textfmt -i=.cover/data -o .cover/cover.out
	@$(GO) tool cover -html=.cover/cover.out -o .cover/index.html
	@$(GO) tool covdata percent -i=.cover/data | $(GO) run ./test/coverage

.PHONY: cover-raise
cover-raise: ## Raise the floors of coverage to what make cover has just measured
	@$(GO) tool covdata percent -i=.cover/data | $(GO) run ./test/coverage -raise

.PHONY: bench
bench: build ## Compare Belfry with net/http and Google's client over TLS, 5 shuffled rounds, 6 to 10 minutes (ARGS='-n 20000')
	$(GO) run ./test/bench $(ARGS)

.PHONY: bench-check
bench-check: build ## make bench, and fail if a ratio is worse than in test/bench/ratios.json by more than its tolerance (ARGS=)
	$(GO) run ./test/bench -check test/bench/ratios.json $(ARGS)

.PHONY: bench-accept
bench-accept: build ## Find the highest rate of single requests that holds p99 of 50 ms, delivered meanwhile, 3 minutes (ARGS=)
	bin/belfry bench --accept-rate 1000 --accept-within 50ms --for 8s --fcm-per-second 100000 $(ARGS)

.PHONY: bench-high
bench-high: build ## Measure high notifications beside a batch of a million that drains (ARGS='--beside 200000 --for 10s')
	bin/belfry bench --accept-rate 50 --beside 1000000 --for 60s $(ARGS)

.PHONY: bench-growth
bench-growth: build ## Measure how cost grows with backlog, registry, dispatchers and batches, 20 minutes (ARGS='-scale 0.1 -largest 10000000')
	$(GO) run ./test/bench -growth -o test/bench/growth.json -img docs/img -update docs/performance.md $(ARGS)

.PHONY: bench-telemetry
bench-telemetry: build ## Measure what traces and metrics cost a notification, 4 shuffled rounds, 3 minutes (ARGS='-rounds 9')
	$(GO) run ./test/bench -telemetry -n 30000 -rounds 4 -update docs/tracing.md $(ARGS)

.PHONY: bench-listeners
bench-listeners: build ## Measure what 50 who follow events cost, 4 shuffled rounds, 4 minutes (ARGS='-rounds 9')
	$(GO) run ./test/bench -listeners -n 30000 -rounds 4 -update docs/tail.md $(ARGS)

.PHONY: bench-pkgs
bench-pkgs: ## Run the benchmarks of packages (BENCH=regexp, BENCH_PKGS=, TESTFLAGS=)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(TESTFLAGS) $(BENCH_PKGS)

.PHONY: bench-batch
bench-batch: build ## Measure a batch of a million recipients: upload, sending, watching, report (ARGS='--recipients 100000')
	bin/belfry bench --separate --recipients 1000000 $(ARGS)

LETTERS ?= 1000000

.PHONY: bench-letters
bench-letters: ## Dead letters at scale: drain, groups, list and replay of LETTERS, default a million (Linux)
	$(GO) test -run '^$$' -bench '^BenchmarkDeadLetters$$' -timeout 60m ./test/replay -letters $(LETTERS)

.PHONY: walkthrough
walkthrough: ## Run the commands of the documents that show what they print, and write that into them
	$(GO) test -count=1 -run '^(TestWalkthrough|TestOutage)$$' ./test/docs -update

# go test fuzzes one target at a time, and builds for each, with all that it depends on instrumented. Here only the
# project's own packages are, a package is built once, and several targets run at a time, each in a worker of its own:
# two a core, for the time is counted by the clock. Before Go 1.27, the end of that time may fail a target with "context
# deadline exceeded" and no failing input (go.dev/issue/75804): that has found nothing.
FUZZJOBS ?= $(shell echo $$((2 * $$(nproc 2>/dev/null || echo 2))))

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME, default 10s each (PKGS=, FUZZ=regexp, FUZZJOBS=)
	@files=$$($(GO) list -f '{{$$p := .}}{{range .TestGoFiles}}{{$$p.ImportPath}} {{$$p.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$$p.ImportPath}} {{$$p.Dir}}/{{.}}{{"\n"}}{{end}}' $(PKGS)); \
	targets=$$(while read -r pkg file; do sed -nE "s|^func (Fuzz[A-Za-z0-9_]*)\(.*|$$pkg \1|p" "$$file"; done <<<"$$files" | awk '$$2 ~ "$(FUZZ)"'); \
	[[ -n $$targets ]] || { echo "make fuzz: no target matches $(FUZZ) in $(PKGS)" >&2; exit 1; }; \
	bin=$$(mktemp -d); trap 'rm -rf "$$bin"' EXIT; cache=$$($(GO) env GOCACHE)/fuzz; module=$$($(GO) list -m); \
	cut -d ' ' -f 1 <<<"$$targets" | uniq | xargs -P 2 -I {} bash -c 'pkg={}; \
		$(GO) test -c -vet=off -ldflags=-w -gcflags="$$1/...=-d=libfuzzer" -o "$$0/$${pkg//\//+}" "$$pkg"' "$$bin" "$$module"; \
	while read -r pkg name; do \
		echo "$${pkg#$$module/} $$bin/$${pkg//\//+} $$name $$cache/$$pkg"; \
	done <<<"$$targets" | xargs -P $(FUZZJOBS) -L 1 bash -c 'cd "$$0"; \
		out=$$("$$1" -test.run="^$$" -test.fuzz="^$$2\$$" -test.fuzztime=$(FUZZTIME) -test.fuzzcachedir="$$3" -test.parallel=1 2>&1) \
			|| { grep -qx "    context deadline exceeded" <<<"$$out" && ! grep -q "Failing input" <<<"$$out"; } \
			|| { printf "%s %s\n%s\n" "$$0" "$$2" "$$out"; exit 1; }; \
		printf "%s %s: %s\n" "$$0" "$$2" "$$(grep "^fuzz: elapsed" <<<"$$out" | tail -n 1)"'

.PHONY: lint
lint: $(GOLANGCI) ## Check style, layering and formatting (the first run builds the linter: some minutes)
	$(GOLANGCI) run $(PKGS)

.PHONY: lint-api
lint-api: ## Check the API's document with Redocly and Spectral, and a TypeScript client made from it (needs Node 20 and npm)
	BELFRY_REQUIRE_STANDINS=1 BELFRY_LEAVE_OUT_STANDINS= $(GO) test -count=1 $(TESTFLAGS) ./test/apidoc

.PHONY: docs-site
docs-site: ## Build the documents into a static site in .site/, links checked (needs Node 20 and npm; SITE_BASE=/path/)
	BELFRY_REQUIRE_STANDINS=1 BELFRY_LEAVE_OUT_STANDINS= $(GO) test -count=1 $(TESTFLAGS) ./test/site -out $(CURDIR)/.site -base $(SITE_BASE)
	@echo "to look at it: python3 -m http.server --directory .site --bind 127.0.0.1 8000"

# What make ui builds, which go build embeds. A build without Node leaves the console out, and its page says so.
dist := internal/httpapi/console/dist

.PHONY: ui
ui: ## Build the operator console of web/ into the programs that are built after it (needs Node 20 and npm)
	BELFRY_REQUIRE_STANDINS=1 BELFRY_LEAVE_OUT_STANDINS= $(GO) test -count=1 $(TESTFLAGS) ./test/console -run '^TestBuild$$' -into $(CURDIR)/$(dist)

.PHONY: console-test
console-test: ## Build the console and use every screen of it in Chromium (needs Node 20, npm and chromium; SHOTS=folder for pictures)
	BELFRY_REQUIRE_STANDINS=1 BELFRY_LEAVE_OUT_STANDINS= BELFRY_REQUIRE_BROWSER=1 \
		$(GO) test -count=1 $(TESTFLAGS) ./test/console -budgets $(if $(SHOTS),-shots $(abspath $(SHOTS)))

# What to build for, and as which version: make release PLATFORMS=linux/amd64 VERSION=v1.2.3
PLATFORMS ?= linux/amd64,linux/arm64,darwin/amd64,darwin/arm64
VERSION ?=

.PHONY: release
release: $(NFPM) $(CYCLONEDX) ## Build archives, packages, checksums, bill of materials and formula into dist/ (PLATFORMS=, VERSION=)
	@web/build.sh
	$(GO) run ./packaging/release -out dist -platforms $(PLATFORMS) -version "$(VERSION)" -nfpm $(NFPM) -cyclonedx $(CYCLONEDX)

.PHONY: release-check
release-check: $(ACTIONLINT) ## The tests of what a release is made of, with actionlint on the workflow
	$(GO) test -count=1 $(TESTFLAGS) ./packaging/release
	$(GO) test -count=1 $(TESTFLAGS) ./test/release -actionlint $(ACTIONLINT)

# Without a base image, so any builder does: docker, podman, buildah.
BUILDER ?= $(firstword $(foreach b,docker podman buildah,$(if $(shell command -v $(b)),$(b))))
IMAGE ?= belfry:latest
host-arch = $(shell $(GO) env GOARCH)

.PHONY: image
image: ## Build the container image of this machine's processor (BUILDER=buildah, IMAGE=belfry:latest)
	@[[ -n "$(BUILDER)" ]] || { echo "make image: install docker, podman or buildah" >&2; exit 1; }
	@web/build.sh
	@[[ -e dist/stage/linux_$(host-arch)/bin/belfry ]] || $(GO) run ./packaging/release -out dist -platforms linux/$(host-arch) -version "$(VERSION)"
	$(BUILDER) build --build-arg TARGETARCH=$(host-arch) -f packaging/Dockerfile -t $(IMAGE) dist/stage

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the code
	$(GOLANGCI) fmt

.PHONY: dead
dead: $(DEADCODE) ## Fail if there is a function that nothing reaches
	@found=$$($(DEADCODE) -test $(PKGS)); [[ -z $$found ]] || { echo "$$found"; echo "make dead: delete them" >&2; exit 1; }

# govulncheck exits 3 when it has found something, 1 when it could not look.
.PHONY: vuln
vuln: $(GOVULNCHECK) ## Fail if a known vulnerability can be reached (says so if Go's database cannot be)
	@code=0; out=$$($(GOVULNCHECK) $(PKGS) 2>&1) || code=$$?; echo "$$out"; \
	if ((code == 1)) && grep -q 'fetching vulnerabilities' <<<"$$out"; then \
		echo "make vuln: NOT CHECKED: the database of vulnerabilities cannot be reached"; \
	else exit $$code; fi

.PHONY: verify
verify: ## Fail if go.mod or generated files are not what the sources say
	$(GO) mod tidy
	$(GO) generate ./...
	git diff --exit-code

# Tests that start programs: these do the work, so there is nothing to cover in the test's process.
starting := $(addprefix ./test/, heal pauses crash outage replay tail operators apidoc site readme examples bench programs console) ./examples/...

# Every test runs, and the race detector watches all but the suites on stand-ins for AWS. What starts programs runs once, under
# the detector; the rest twice, with coverage and with the detector: coverage's counters under the detector cost three times as
# much as both. There long simulations and random tests run short (test/raced). What starts programs mostly waits, so it runs
# beside the rest, and goes before it: it kills and measures processes by the clock.
others := $(GO) list ./... | grep -vxF "$$($(GO) list $(starting))" | xargs

.PHONY: ci
ci: ## What CI runs: lint, verify, dead, vuln, all tests with coverage and its floors, the race detector, fuzzing
	@step() { echo "== make $$1"; local begin=$$SECONDS; $${nice:-} $(MAKE) "$$@"; echo "== make $$1: $$((SECONDS - begin)) s"; }; \
	others=$$($(others)); \
	step lint; step verify; step dead; step vuln; \
	step cover TESTFLAGS=-vet=off PKGS="$$others"; \
	out=$$(mktemp); trap 'kill $$(jobs -p) 2>/dev/null || true; rm -f "$$out"' EXIT; \
	step race TESTFLAGS="-vet=off -p 2" PKGS="$(starting)" >"$$out" 2>&1 & starting=$$!; \
	nice="nice -n 5" BELFRY_REQUIRE_STANDINS= BELFRY_LEAVE_OUT_STANDINS=1 step race TESTFLAGS="-vet=off -p $(TESTJOBS)" PKGS="$$others"; \
	wait $$starting || { cat "$$out"; exit 1; }; cat "$$out"; \
	step fuzz FUZZTIME=5s

.PHONY: tools
tools: $(GOLANGCI) $(DEADCODE) $(GOVULNCHECK) $(NFPM) $(CYCLONEDX) $(ACTIONLINT) ## Build the pinned tools into .bin/

.PHONY: clean
clean: ## Remove what make built, but not the tools
	rm -rf bin dist .cover .site $(dist)/index.html $(dist)/assets

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

$(BIN)/govulncheck-$(GOVULNCHECK_VERSION):
	$(call install,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))

$(NFPM):
	$(call install,github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION))

$(CYCLONEDX):
	$(call install,github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION))

$(ACTIONLINT):
	$(call install,github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION))
