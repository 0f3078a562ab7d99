# The front desk. `make` alone prints every target; CI runs the same ones.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MODULES := proto gateway chatsvc deploy
BIN     := $(CURDIR)/.bin
TOOLS   := $(BIN)/.installed
export PATH := $(BIN):$(PATH)

# Arguments for the programs behind the targets: make run ARGS="--gateways 127.0.0.1:8000,127.0.0.1:8001"
ARGS ?=
# Which tests, benchmarks and fuzz targets: make test RUN=TestResume, make bench-go BENCH=FanOut
RUN      ?=
BENCH    ?= .
FUZZTIME ?= 20s

.PHONY: help
help: ## Print every target
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z0-9_-]*:.*## / {printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Running

.PHONY: run
run: ## Run everything in one process: two gateways, chatsvc, embedded NATS, Redis and SQLite (ARGS="--help" lists flags)
	@mkdir -p $(BIN) && go build -o $(BIN)/allinone ./deploy/cmd/allinone && exec $(BIN)/allinone $(ARGS)

.PHONY: up
up: ## Run the whole system with docker compose (SCALE="--scale gateway=3 --scale chatsvc=2"); needs a .env, see deploy/README.md
	docker compose up --build --wait $(SCALE)

.PHONY: down
down: ## Stop the docker compose system; volumes stay
	docker compose down

.PHONY: build
build: ## Build the binaries of both services and the all-in-one into .bin
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -o $(BIN)/ ./gateway/cmd/gateway ./chatsvc/cmd/chatsvc ./deploy/cmd/allinone

##@ Testing

.PHONY: setup
setup: ## Install what the tests need: Debian packages (as root or with sudo) and npm packages by lock file
	@deploy/setup/install.sh

.PHONY: test
test: setup ## Run every test, race detector on: unit, conformance, end-to-end with stock clients and a browser
	@for m in $(MODULES); do echo "== $$m"; go test -race -shuffle=on -timeout 10m $(if $(RUN),-run '$(RUN)') ./$$m/...; done

.PHONY: test-go
test-go: ## Run the tests of the services alone, without installing anything
	@for m in proto gateway chatsvc; do go test -race -shuffle=on $(if $(RUN),-run '$(RUN)') ./$$m/...; done

.PHONY: e2e
e2e: setup ## Run only the end-to-end tests
	go test -race -count=1 $(if $(RUN),-run '$(RUN)') ./deploy/e2e/...

# Another server than the gateway's own conformance broker: make conformance ADDR=ws://127.0.0.1:15674/ws
ADDR ?=

.PHONY: conformance
conformance: setup ## Hold a STOMP server against the standards (ADDR=ws://host:port/path; default: the gateway's conformance broker)
	go test -count=1 -v $(if $(RUN),-run '$(RUN)') ./deploy/conformance $(if $(ADDR),-args -addr $(ADDR))

.PHONY: differences
differences: setup ## Write down where RabbitMQ (Debian's, started here) differs from the standards: deploy/conformance/DIFFERENCES.md
	go test -count=1 -parallel 8 ./deploy/conformance -args -rabbitmq -differences DIFFERENCES.md

# A fault run: make faults SEED=7 DURATION=30m FAULTS_ARGS="--only 1,26 --markdown result.md"
SEED        ?= 1
DURATION    ?= 8m
FAULTS_ARGS ?=

.PHONY: faults
faults: ## Break the whole system for some minutes and prove its promises (SEED=, DURATION=, FAULTS_ARGS="--help" lists more)
	@go build -o $(BIN)/faults ./deploy/cmd/faults
	@$(BIN)/faults --seed $(SEED) --duration $(DURATION) $(FAULTS_ARGS)

.PHONY: siege
siege: ## Attack a gateway with 5,000 silent and 2,000 slow connections and with floods of frames, and say what they cost (SIEGE_ARGS="--help")
	@go build -o $(BIN)/siege ./deploy/cmd/siege
	@$(BIN)/siege $(SIEGE_ARGS)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (default 20s) each
	@for m in $(MODULES); do for p in $$(go list ./$$m/...); do \
	  for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p; \
	  done; done; done

# Checks taken off by name: make locks LOCKS=rooms/
LOCKS ?=

.PHONY: locks
locks: ## Take every security check out, one at a time, and see that its test fails (LOCKS=regular expression of area/name)
	@go run ./deploy/cmd/locks --only '$(LOCKS)'

.PHONY: bench-go
bench-go: ## Run the Go benchmarks (BENCH=pattern); the PostgreSQL ones start their own server
	@for m in proto gateway chatsvc; do go test -run '^$$' -bench '$(BENCH)' -benchmem ./$$m/... | grep -E '^(Benchmark|cpu|pkg|ok|FAIL)'; done

# The whole system against its bars: make bench, make bench SCENARIO=fan-out TIMES=1, make bench-growth SCENARIO=soak
SCENARIO   ?=
TIMES      ?= 3
BENCH_ARGS ?=
comma := ,
# What a broker without resume and read marks can do as well
PEER_ROWS = idle$(comma)connect$(comma)fan-out$(comma)fan-out-closed$(comma)fan-out-window$(comma)rooms-of-2$(comma)rooms-of-10$(comma)rooms-of-10-paced
RESULTS     = deploy/bench/results/$(shell date -u +%Y-%m-%d)

.PHONY: bench-build
bench-build:
	@mkdir -p $(BIN) && go build -o $(BIN)/bench ./deploy/cmd/bench

.PHONY: bench
bench: bench-build ## Measure the whole system on real servers (SCENARIO=fan-out for one row, TIMES=3); into deploy/bench/results
	@$(BIN)/bench --only '$(SCENARIO)' --times $(TIMES) --results $(RESULTS)-bench$(if $(SCENARIO),-$(SCENARIO)) $(BENCH_ARGS)

.PHONY: bench-peers
bench-peers: bench-build ## The same beside RabbitMQ's Web STOMP, in turn (Debian: apt-get install rabbitmq-server)
	@$(BIN)/bench --peers --only '$(or $(SCENARIO),$(PEER_ROWS))' \
	  --times $(TIMES) --results $(RESULTS)-peers$(if $(SCENARIO),-$(SCENARIO)) $(BENCH_ARGS)

.PHONY: bench-growth
bench-growth: bench-build ## How cost grows with processes, connections, rooms, time (SCENARIO=gateways-4 for one row)
	@$(BIN)/bench --growth --only '$(SCENARIO)' --times $(TIMES) --results $(RESULTS)-growth$(if $(SCENARIO),-$(SCENARIO)) $(BENCH_ARGS)

.PHONY: loadgen
loadgen: ## Build the load generator alone into .bin; .bin/loadgen --help
	@mkdir -p $(BIN) && go build -o $(BIN)/loadgen ./deploy/cmd/loadgen

.PHONY: bench-compare
bench-compare: $(TOOLS) ## Compare the Go benchmarks with those of another commit (BASE=main, BENCH=pattern, PACKAGES=./gateway/...)
	@deploy/bench/compare.sh $(or $(BASE),main) '$(BENCH)' $(PACKAGES)

##@ Keeping it clean

$(TOOLS): deploy/tools/go.mod deploy/tools/go.sum
	@mkdir -p $(BIN)
	@echo "== building the pinned tools (once; a few minutes)"
	@cd deploy/tools && GOWORK=off GOBIN=$(BIN) go install tool
	@touch $@

.PHONY: tools
tools: $(TOOLS) ## Build the pinned tools (buf, protoc plugins, golangci-lint, govulncheck) into .bin

.PHONY: generate
generate: $(TOOLS) ## Regenerate protobuf code, the OpenAPI file and the browser bundles
	cd proto && buf lint && buf format -w && buf generate
	cd gateway/web/sdk && npm ci --no-audit --no-fund --silent && npm run --silent embed
	cd gateway/web && npm ci --no-audit --no-fund --silent && npm run --silent build

.PHONY: proto-breaking
proto-breaking: $(TOOLS) ## Compare the contract with the main branch and fail on breaking changes
	cd proto && buf breaking --against '../.git#branch=main,subdir=proto'

.PHONY: tidy
tidy: ## go mod tidy in every module
	@for m in $(MODULES) deploy/tools; do (cd $$m && GOWORK=off go mod tidy); done

.PHONY: fmt
fmt: $(TOOLS) ## Format the Go code
	golangci-lint fmt $(addprefix ./,$(addsuffix /...,$(MODULES)))

.PHONY: lint
lint: $(TOOLS) ## Lint the Go code and the shell scripts
	golangci-lint run $(addprefix ./,$(addsuffix /...,$(MODULES)))
	@if command -v shellcheck >/dev/null; then shellcheck deploy/*.sh deploy/setup/*.sh deploy/bench/*.sh deploy/security/*.sh .ci/run; fi

.PHONY: audit
audit: $(TOOLS) ## Known faults of what we build on: go mod verify, govulncheck, npm audit (AUDIT_STRICT=1: fail also when they cannot be asked)
	@PATH="$(BIN):$$PATH" deploy/security/audit.sh

.PHONY: sbom
sbom: $(TOOLS) ## What the two services are made of, read from their binaries: CycloneDX JSON in .bin/sbom
	@mkdir -p $(BIN)/sbom
	@for s in gateway chatsvc; do \
	  go build -o $(BIN)/sbom/$$s ./$$s/cmd/$$s && \
	  $(BIN)/cyclonedx-gomod bin -json -licenses -version "$$(git describe --always --dirty)" \
	    -output $(BIN)/sbom/$$s.cdx.json $(BIN)/sbom/$$s && \
	  echo "$(BIN)/sbom/$$s.cdx.json" || exit 1; done

.PHONY: verify
verify: ## Fail if generate, tidy, fmt or lint would change or report anything, or something we build on is known to be faulty
	@.ci/unchanged make --no-print-directory generate tidy fmt
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory audit
