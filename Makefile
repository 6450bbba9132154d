# Everything that is done with this repository. `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MODULES := schemas ingest transform deliver deploy/local deploy/examples deploy/nats deploy/dashboards deploy/bench deploy/e2e deploy/image/sbom deploy/image/try
BINARIES := ./ingest/cmd/... ./transform/cmd/... ./deliver/cmd/... ./deploy/local/trial
# Packages in which goroutines meet; the race detector is slow on two cores.
CONCURRENT := ./deliver/internal/app/... ./schemas/bus/... ./schemas/probe/... ./schemas/program/... ./schemas/telemetry/... \
	./ingest/internal/hub/... ./ingest/internal/feed/... ./ingest/internal/rtesim/... ./ingest/internal/app/... \
	./transform/internal/app/... ./transform/internal/fold/... ./transform/internal/replay/... \
	./deliver/internal/directory/... ./deliver/internal/reapit/... ./deliver/internal/reapitsim/... \
	./deploy/local/...
# Tests of those packages that it has no use for: a cluster only makes its servers
# slow, and what one goroutine computes takes it ten times as long and cannot race.
# The tests of all the rest wait more than they compute and do so side by side
# within a package, so there are no more packages at a time than processors.
# verify and lint vet, which with the race detector would be done anew for all that
# the packages import.
ALONE := Cluster|RestoredFoldIsSavedAtTheSameInputs|FoldGoesOnFromAnySnapshot|SnapshotsFallOnTheSameInputs
ALONE := $(ALONE)|WhatCannotBeToldIsUnreadable|CoverageIsForgotten|SnapshotsOfManyCallsAreFurtherApart|AliasesOfAnOffice
ALONE := $(ALONE)|AliasesOfDigits|ReadABomb|PagesOfManyCalls|ManyUnsettledCalls|TooMuchIsForgotten
FUZZTIME ?= 20s
TOOLS := $(CURDIR)/.bin
# What the binaries say of themselves; without git they say that they do not know.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
REVISION := $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null)
STAMP := -X ringstream/schemas/program.version=$(VERSION) -X ringstream/schemas/program.revision=$(REVISION)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build every binary into bin/
	@echo "building into bin/ (the first time this fetches modules and takes a few minutes)"
	@go build -ldflags '$(STAMP)' -o bin/ $(BINARIES)
	@go build -ldflags '$(STAMP)' -o bin/ringstream-local ./deploy/local
	@ls bin | tr '\n' ' ' && echo

.PHONY: run
run: build ## the pipeline on an embedded NATS, with simulators and sample calls; ARGS=--help for more
	@exec bin/ringstream-local $(ARGS)

.PHONY: test
test: build ## every test that needs only Go, the end-to-end ones included
	@go test $(TESTFLAGS) work

.PHONY: e2e
e2e: build ## the end-to-end stories over the real binaries
	@go test -count=1 $(TESTFLAGS) ./deploy/e2e/...

BROWSER := deploy/e2e/browser
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
.PHONY: browser
browser: build $(BROWSER)/node_modules/.package-lock.json ## what replay serve shows, in a headless Chromium; needs node and chromium
	@test -x "$(CHROMIUM)" || { echo "no Chromium: apt-get install chromium, or CHROMIUM=/path/to/it"; exit 1; }
	@CHROMIUM="$(CHROMIUM)" go test -count=1 -v -run '^TestServe$$' -timeout 10m $(TESTFLAGS) ./deploy/e2e -browser

# npm ci, once for each change of what it installs.
$(BROWSER)/node_modules/.package-lock.json: $(BROWSER)/package-lock.json $(BROWSER)/package.json $(BROWSER)/.npmrc
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "no node: apt-get install nodejs npm (20 or newer)"; exit 1; }
	@cd $(BROWSER) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: race
race: ## the race detector on the concurrent packages, without the tests of one goroutine
	@go test -race -vet=off -short -skip '^Test($(ALONE))' $(TESTFLAGS) $(CONCURRENT)

# What an earlier run left in MEASURED stays until it is measured again, so that one
# benchmark can be repeated alone, with make results behind it.
MEASURED := $(CURDIR)/bin/bench
MEASURE := -run '^$$' -benchtime 1x -timeout 1h ./deploy/e2e
.PHONY: bench
bench: build ## what ingest, transform and replay sustain and how long a call takes to ring, as ratios to bare readers, publishers and relays and to watermill: deploy/bench/RESULTS.md
	@mkdir -p $(MEASURED)
	@go build -o bin/watermill ./deploy/bench/watermill
	@go test -bench '^BenchmarkIngest$$' $(MEASURE) -figures $(MEASURED)/ingest.json $(BENCHFLAGS)
	@go test -bench '^BenchmarkTransform$$' $(MEASURE) -figures $(MEASURED)/transform.json $(FOLDINGFLAGS)
	@go test -bench '^BenchmarkCurves$$' $(MEASURE) -fold.events 20000 -fold.rounds 1 -figures $(MEASURED)/curves.json $(CURVEFLAGS)
	@go test -bench '^BenchmarkRinging$$' $(MEASURE) -figures $(MEASURED)/ringing.json $(RINGFLAGS)
	@go test -bench '^BenchmarkRates$$' $(MEASURE) -figures $(MEASURED)/rates.json $(RATEFLAGS)
	@go test -run '^$$' -bench . -benchtime 1s -timeout 1h ./transform/internal/fold $(FOLDFLAGS) | tee $(MEASURED)/fold.txt
	@go test -bench '^BenchmarkReplay$$' $(MEASURE) -figures $(MEASURED)/replay.json $(EXPLAINFLAGS)
	@go test -run '^$$' -bench '^BenchmarkList$$' -benchtime 5x ./transform/internal/replay/page
	@$(MAKE) --no-print-directory results

.PHONY: results
results: ## deploy/bench/RESULTS.md, results.json and plots anew of what make bench has measured last
	@go run ./deploy/bench/results -from $(MEASURED) -to deploy/bench -version '$(VERSION)'

.PHONY: profile
profile: ## where transform's CPU time goes; NATS, which is in the process, left out
	@go test -run '^$$' -bench '^BenchmarkRun$$' -benchtime 1x -cpuprofile $(TOOLS)/transform.prof -o $(TOOLS)/transform.test ./transform/internal/app > /dev/null
	@go tool pprof -top -cum -nodecount 60 -focus 'ringstream|nats-io/nats.go' -ignore 'nats-server|bustest' $(TOOLS)/transform.test $(TOOLS)/transform.prof

CERTIFICATE ?= .ringstream/certificates
.PHONY: certify
certify: build ## the whole pipeline for T (10m) of faults, and a certificate in CERTIFICATE/<seed>; RUN=fold: CALLS is the fold of RTE; RUN=overload, crash, outage or isolation: what deliver promises; RUN=diff: what replay diff does; RUN=rolling: that roll-outs change nothing; RUN=upgrade OLD=<git ref>: nor one from that build and back; SEED= repeats a run
ifeq ($(RUN),diff)
	@go test -count=1 -v -run '^TestDiff$$' -timeout 1h $(TESTFLAGS) ./deploy/e2e -diff.calls=50000 -diff.rules=100 -diff.seed=$(or $(SEED),0)
else ifeq ($(RUN),rolling)
	@go test -count=1 -v -run '^TestRolling$$' -timeout 1h $(TESTFLAGS) ./deploy/e2e -rolling -rolling.seed=$(or $(SEED),0)
else ifeq ($(RUN),upgrade)
	@deploy/e2e/upgrade.sh "$(OLD)" -rolling -rolling.seed=$(or $(SEED),0)
else ifeq ($(RUN),fold)
	@go test -count=1 -v -run '^TestCertify$$' -timeout 24h $(TESTFLAGS) ./deploy/e2e -certify=$(or $(T),5m) -certify.seed=$(or $(SEED),0)
else ifdef RUN
	@go test -count=1 -v -run '(?i)^TestDeliver$(RUN)$$' -timeout 24h $(TESTFLAGS) ./deploy/e2e -deliver -deliver.for=$(or $(T),0) -deliver.seed=$(or $(SEED),0)
else
	@go test -count=1 -v -run '^TestWhole$$' -timeout 24h $(TESTFLAGS) ./deploy/e2e -whole=$(or $(T),10m) -whole.seed=$(or $(SEED),0) -whole.certificate=$(abspath $(CERTIFICATE))
endif

.PHONY: soak
soak: build ## the whole fleet at RATE (500) raw events a second for T (2h), with replay watch beside it: nothing is found, and nobody needs more in the end; SEED= repeats a run
	@go test -count=1 -v -run '^TestSoak$$' -timeout 100h $(TESTFLAGS) ./deploy/e2e -soak=$(or $(T),2h) -soak.rate=$(or $(RATE),500) -soak.seed=$(or $(SEED),0)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each
	@grep -rl --include='*_test.go' '^func Fuzz' $(MODULES) | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while read -r target; do \
			echo "== $$file $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$$(dirname "$$file")"; \
		done; \
	done

.PHONY: gen
gen: ## make every generated file anew
	@go generate ./schemas/... ./deploy/nats ./deploy/dashboards
	@go test ./transform/internal/call -run 'Stat|Diagram|Picture' -update > /dev/null

.PHONY: fmt
fmt: $(TOOLS)/gofumpt ## format
	@$(TOOLS)/gofumpt -l -w $(MODULES)

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(TOOLS)/gofumpt ## gofumpt and golangci-lint, which vets
	@test -z "$$($(TOOLS)/gofumpt -l $(MODULES) | tee /dev/stderr)" || { echo "not formatted: make fmt"; exit 1; }
	@$(TOOLS)/golangci-lint run $(MODULES:%=./%/...)

.PHONY: verify
verify: ## each module by itself: tidy, compiles, vets; generated files are up to date
	@for m in $(MODULES); do echo "verify $$m"; (cd $$m && export GOWORK=off && go mod tidy -diff && go vet ./...); done

# Apart: who formats does not wait for the linter.
$(TOOLS)/golangci-lint: TOOL := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/gofumpt: TOOL := mvdan.cc/gofumpt
$(TOOLS)/golangci-lint $(TOOLS)/gofumpt: deploy/tools/go.mod
	@echo "building $(@F) into .bin/ (once; the linter takes a minute)"
	@GOBIN=$(TOOLS) GOWORK=off go -C deploy/tools install $(TOOL)
	@touch $@

# Side by side: rules take one processor for long, what is built for the others two.
.PHONY: chart
chart: $(TOOLS)/gofumpt ## the Helm chart: lint, schemas of three versions, an API server's validation, PodSecurity, rules, documentation
	@$(MAKE) --no-print-directory --jobs 2 --output-sync alerts chart-verify chart-readme

# vet would read all of Kubernetes' sources: chart-server, which has built them, does it.
.PHONY: chart-verify
chart-verify:
	@test -z "$$($(TOOLS)/gofumpt -l deploy/chart/verify | tee /dev/stderr)" || { echo "not formatted: make chart-docs"; exit 1; }
	@cd deploy/chart/verify && export GOWORK=off && go mod tidy -diff && go test -vet=off -count=1 -timeout 15m $(TESTFLAGS) ./...

.PHONY: chart-readme
chart-readme: $(TOOLS)/helm-docs
	@$(TOOLS)/helm-docs --chart-search-root deploy/chart --dry-run --log-level error | diff deploy/chart/README.md - || { echo "its README is not up to date: make chart-docs"; exit 1; }

.PHONY: chart-docs
chart-docs: $(TOOLS)/helm-docs ## make the chart's README, its copies of rules and dashboards, and deploy/kustomize/base anew
	@rm -rf deploy/chart/files
	@for f in $$(grep -ls '^groups:' deploy/alerts/*.yaml) $$(ls deploy/dashboards/*.json 2>/dev/null); do install -m 644 -D "$$f" "deploy/chart/files/$$(basename "$$(dirname "$$f")")/$$(basename "$$f")"; done
	@$(TOOLS)/helm-docs --chart-search-root deploy/chart --log-level error
	@cd deploy/chart/verify && GOWORK=off go test -count=1 -run '^TestKustomize' ./... -update > /dev/null

.PHONY: chart-server
chart-server: ## the chart before a real API server, with controllers and fake nodes; the first time it builds Kubernetes (minutes)
	@deploy/chart/verify/server.sh

$(TOOLS)/helm-docs: deploy/tools/chart/go.mod
	@GOBIN=$(TOOLS) GOWORK=off go -C deploy/tools/chart install tool
	@touch $@

.PHONY: image
image: ## images of SERVICES ("ingest transform deliver"), by docker, podman or buildah; without a registry: deploy/image/base.sh first
	@VERSION='$(VERSION)' REVISION='$(REVISION)' deploy/image/build.sh $(or $(SERVICES),ingest transform deliver)

.PHONY: image-try
image-try: build ## run the three images that buildah built under runc, confined as in a restricted pod, and ask their probes; needs root
	@VERSION='$(VERSION)' deploy/image/try.sh

PROMTOOL ?= $(shell command -v promtool)
.PHONY: alerts
alerts: ## rules of alerts and their tests, and the expressions of the dashboards; needs promtool
	@test -x "$(PROMTOOL)" || { echo "no promtool: apt-get install --no-install-recommends prometheus, or PROMTOOL=/path/to/it"; exit 1; }
	@$(PROMTOOL) check rules deploy/alerts/*.rules.yaml
	@$(PROMTOOL) test rules deploy/alerts/*_test.yaml
	@rules=$$(mktemp) && trap 'rm -f "$$rules"' EXIT && go run ./deploy/dashboards -rules > "$$rules" && $(PROMTOOL) check rules --lint=none "$$rules"
	@go test -timeout 5m $(TESTFLAGS) ./deploy/dashboards

PROMETHEUS ?= $(shell command -v prometheus)
NATS ?= $(TOOLS)/nats
.PHONY: alerts-live
alerts-live: build $(NATS) ## each alert is provoked, its page followed and its cause cured, under a Prometheus that scrapes a whole stack; needs prometheus
	@test -x "$(PROMETHEUS)" || { echo "no prometheus: apt-get install --no-install-recommends prometheus, or PROMETHEUS=/path/to/it"; exit 1; }
	@go test -count=1 -v -tags alerts -run '^TestAlerts$$' -timeout 20m $(TESTFLAGS) ./deploy/e2e -prometheus "$(PROMETHEUS)" -nats "$(NATS)"

.PHONY: alerts-quiet
alerts-quiet: build ## no alert fires while nothing disturbs 200 raw events a second, for T (10m); needs prometheus
	@test -x "$(PROMETHEUS)" || { echo "no prometheus: apt-get install --no-install-recommends prometheus, or PROMETHEUS=/path/to/it"; exit 1; }
	@go test -count=1 -v -tags alerts -run '^TestAlertsAreQuiet$$' -timeout 24h $(TESTFLAGS) ./deploy/e2e -prometheus "$(PROMETHEUS)" -alerts.quiet=$(or $(T),10m)

$(TOOLS)/nats: deploy/tools/nats/go.mod
	@GOBIN=$(TOOLS) GOWORK=off go -C deploy/tools/nats install tool
	@touch $@

.PHONY: clean
clean: ## remove what was built and the data of make run
	@rm -rf bin .bin .ringstream
