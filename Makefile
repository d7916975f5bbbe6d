# `make help` lists what there is to do. Works with GNU Make 3.81 (macOS) and any POSIX shell.

# What is run where: the checkout is one workspace of two modules, whatever the caller's own environment says. The version is
# stamped here, so Go need not ask git (which refuses in a checkout that another user owns).
export GOWORK := $(CURDIR)/go.work
export GOFLAGS := $(filter-out -mod=% -buildvcs%,$(shell go env GOFLAGS 2>/dev/null)) -buildvcs=false
export CGO_ENABLED := 1
export CGO_CFLAGS_ALLOW ?= -Xpreprocessor# Homebrew's libvips names this flag

# A checkout that is not exactly a release is a step towards the one named in VERSION.
VERSION := $(shell cat VERSION)$(shell [ ! -e .git ] || git describe --exact-match --match 'v*' >/dev/null 2>&1 || echo -dev)
COMMIT := $(or $(shell git describe --always --exclude '*' --abbrev=12 --dirty 2>/dev/null),unknown)
LDFLAGS := -X calotype/kit/boot.Version=$(VERSION) -X calotype/kit/boot.Commit=$(COMMIT)

PACKAGES := ./... ./proto/...
PROVISION := tools/provision

.DEFAULT_GOAL := help
.PHONY: help run test faults fuzz chaos lint generate settings gallery check-generated build bench deps clean
.PHONY: secrets images up down urls roll e2e chaos-short chaos-cluster

help: ## List what there is to do
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: deps ## Install what is missing to build, and start everything in one process (ARGS='--listen :8080 --data DIR')
	@[ -x bin/calotype ] || echo 'Building (the first time takes a minute or two)...' >&2
	@go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/calotype
	@exec bin/calotype up $(ARGS)

# What the race detector makes ten times slower and has nothing to see in: SQLite, which is C that became Go, with memory that is not of
# Go's heap, and the arithmetic by which tests look at pictures.
UNWATCHED := $(foreach package,modernc.org/sqlite/lib modernc.org/libc calotype/test/likeness image/png compress/flate,-gcflags=$(package)=-race=false)

# Packages side by side: the longest wait for heartbeats and leases to run out, and leave the processors to others.
BESIDE := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n < 4 ? 4 : n)))

test: ## Run all tests with the race detector, against real servers that it gets itself (TEST='-run Name' PACKAGES=./kit/...)
	@$(PROVISION)/libraries.sh bash curl openssl # the tests run the README's examples
	@$(PROVISION)/servers.sh >/dev/null
	@tools=$$($(PROVISION)/tools.sh gotestsum grpcurl helm kubeconform kubernetes-openapi keda mustache) && exec "$$tools/gotestsum" --format pkgname-and-test-fails --format-hide-empty-pkg \
		$(if $(TEST_JSON),--jsonfile $(TEST_JSON)) --packages '$(PACKAGES)' -- -race -p $(BESIDE) $(UNWATCHED) -shuffle=on -timeout 20m $(TEST)

faults: deps ## Run the RPC fault tests at full length with nothing beside them, and hold them to their times (20 minutes)
	@$(PROVISION)/servers.sh >/dev/null
	FAULTS_ALONE=1 go test -count=1 -v -p 1 -timeout 20m ./test/rpc ./kit/leader
	FAULTS_ALONE=1 RPC_TEST_REGISTRY=etcd go test -count=1 -v -timeout 20m ./test/rpc

fuzz: deps ## Look for what breaks the grammar, the parsers of addresses and every loader (FUZZTIME=10m for each; FUZZ='FuzzJPEG FuzzPNG')
	@tools/fuzz.sh '$(or $(FUZZTIME),10m)' $(FUZZ)

chaos: deps ## Break a loaded cluster for 3 minutes, with three brokers, and look for what is lost (CHAOS_SEED=n repeats one)
	@$(PROVISION)/servers.sh >/dev/null
	CHAOS_SECONDS=$(or $(CHAOS_SECONDS),180) CHAOS_BROKERS=$(or $(CHAOS_BROKERS),3) go test -count=1 -v -timeout 20m ./test/chaos

lint: deps ## Check both modules, the protos and the scripts; kept at zero
	@tools=$$($(PROVISION)/tools.sh golangci-lint buf) && "$$tools/golangci-lint" run $(PACKAGES) && cd proto && "$$tools/buf" lint
	@for script in $(PROVISION)/*.sh tools/*.sh deploy/*.sh deploy/*/*.sh; do sh -n "$$script" || exit 1; done

generate: ## Generate the Go code and the OpenAPI document from the protos
	@tools/generate.sh proto

settings: deps ## Write the table of docs/settings.md
	@go run ./cmd/calotype settings >.settings.new && awk '/<!-- settings -->/ { print; while ((getline line < ".settings.new") > 0) print line; skip = 1 } \
		/<!-- \/settings -->/ { skip = 0 } !skip' docs/settings.md >.table.new && mv .table.new docs/settings.md; rm -f .settings.new .table.new

gallery: deps ## Make the pictures of docs/images.md anew, by the options that stand below them
	@go test ./test/e2e -run '^TestGallery$$' -count=1 -update

check-generated: ## Fail when the generated code is not what the protos give
	@tools/generate.sh --check proto

build: deps ## Build every binary into bin/, with its version and commit
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $$(go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./cmd/... ./services/... ./gateway/...)

bench: deps ## Run the benchmarks (BENCH=pattern; Pixels and Servers are of pictures)
	@$(if $(filter Pixels% Servers%,$(BENCH)),,$(PROVISION)/libraries.sh wrk && $(PROVISION)/servers.sh rabbitmq postgres redis >/dev/null)
	@$(if $(filter Servers%,$(BENCH)),$(PROVISION)/servers.sh consul nginx >/dev/null)
	go test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -timeout 30m $(PACKAGES_$(firstword $(subst /, ,$(BENCH)))) $(if $(filter Pixels% Servers%,$(BENCH)),,$(PACKAGES))

# What need not be built for all of the packages.
PACKAGES_Pixels := ./services/image/internal/pipeline
PACKAGES_PixelsOfCopies := $(PACKAGES_Pixels)
PACKAGES_Servers := ./test/bench

deps: ## Install what this machine lacks to build: a C compiler, pkg-config, libvips
	@$(PROVISION)/libraries.sh

# The cluster under docker compose: docs/cluster.md. SMALL=1 is the one that fits 2 GiB.
CLUSTER := SMALL='$(SMALL)' COMMIT='$(COMMIT)' BUILD_VERSION='$(VERSION)' sh deploy/

secrets: ## Make the secrets of the cluster that are not there yet, in deploy/secrets
	@sh deploy/secrets.sh

images: secrets ## Build every image of the cluster
	@$(CLUSTER)compose-images.sh

up: ## Build and start the cluster with Docker, wait until a photograph goes through it, and print every URL (SMALL=1: in 2 GiB)
	@$(CLUSTER)compose-up.sh

down: ## Remove the cluster with all its data: containers, networks, volumes (PURGE=1: the images and the secrets, too)
	@PURGE='$(PURGE)' $(CLUSTER)compose-down.sh

urls: ## Print where the running cluster is reached
	@$(CLUSTER)compose-urls.sh

roll: ## Replace the services' containers by new ones, one at a time and without a failed request (SERVICES='gateway storage')
	@$(CLUSTER)roll.sh $(SERVICES)

e2e: ## Test the running cluster through Nginx (after make up; TEST='-run Name')
	@tools=$$($(PROVISION)/tools.sh gotestsum) && exec "$$tools/gotestsum" --format testname --format-hide-empty-pkg \
		$(if $(TEST_JSON),--jsonfile $(TEST_JSON)) --packages ./test/e2e/cluster -- -tags cluster -count=1 -timeout 15m $(TEST)

chaos-short: ## Break the loaded, running cluster for some minutes, and look for what is lost (after make up)
	go run ./test/chaos/cluster -short $(CHAOS)

chaos-cluster: ## Break every part of the loaded, running cluster in turn, for some 25 minutes (after make up; CHAOS='-seed n')
	go run ./test/chaos/cluster $(CHAOS)

clean: ## Remove what was built here; the tools' cache and your data stay
	rm -rf bin dist
