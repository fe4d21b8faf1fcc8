# Ferrobase. `make help` lists what there is.

SHELL := bash
.DEFAULT_GOAL := help

CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR
FERROBASE := $(CARGO_TARGET_DIR)/debug/ferrobase
# The Dockerfile needs BuildKit; 1.29 must be told.
export DOCKER_BUILDKIT := 1
export COMPOSE_DOCKER_CLI_BUILD := 1
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

##@ Run in containers

.PHONY: up
up: ## Run the whole stack with Docker Compose; the first run generates .env
	@scripts/compose-up.sh

.PHONY: down
down: ## Stop and remove the containers; the data stays
	@scripts/compose-down.sh

.PHONY: logs
logs: ## Follow the logs; of one service with SERVICE=auth
	@$(COMPOSE) logs --follow --tail 100 $(SERVICE)

.PHONY: ps
ps: ## Show the containers
	@$(COMPOSE) ps

.PHONY: health
health: ## Show which containers are healthy; fails when one is not
	@scripts/compose-health.sh

.PHONY: build
build: ## Build the images of all services
	@$(COMPOSE) build

.PHONY: test-smoke
test-smoke: ## Drive the running stack, native or in containers, over plain HTTP
	@scripts/smoke-test.sh

.PHONY: test-compose
test-compose: ## Start, break, scale and remove a fleet of containers of its own
	cargo build --locked --workspace --bins
	scripts/compose-test.sh debug

##@ Run natively

.PHONY: dev
dev: deps ## Run the whole stack natively; the first run generates .env
	@cargo build --quiet --bin ferrobase
	@$(FERROBASE) up

.PHONY: status
status: ## Ask every service of the running stack how it is
	@$(FERROBASE) status

.PHONY: doctor
doctor: ## Look for what is wrong or unsafe
	@$(FERROBASE) doctor

.PHONY: keys
keys: ## Show the gateway URL and the keys
	@$(FERROBASE) keys

##@ Test

.PHONY: test
test: deps fmt-check lint test-rust test-e2e test-browser ## Everything but the containers

.PHONY: fmt-check
fmt-check:
	cargo fmt --all --check

.PHONY: lint
lint: ## Clippy with warnings denied
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: test-rust
test-rust: ## Unit, integration and contract tests
	cargo test --workspace --locked

.PHONY: test-e2e
test-e2e: ## The whole stack, driven by supabase-js and the clients of PostgREST
	cargo build --locked --bin ferrobase
	scripts/e2e.sh $(FERROBASE)

.PHONY: test-browser
test-browser: ## Pages in Chromium that call through the gateway
	cargo build --locked -p gateway
	scripts/browser-test.sh $(CARGO_TARGET_DIR)/debug/gateway

.PHONY: contracts
contracts: ## Rewrite contracts/*.json from the code
	UPDATE_CONTRACTS=1 cargo test --workspace contract

##@ Measure

.PHONY: bench
bench: deps ## Benchmarks; prints ratios against a peer
	@scripts/install-deps.sh bench
	cargo build --release --locked --bin ferrobase --bin gateway --bin sql-rest
	scripts/bench.sh $(CARGO_TARGET_DIR)/release/ferrobase
	GATEWAY_BIN=$(CARGO_TARGET_DIR)/release/gateway scripts/bench/gateway.sh
	GATEWAY_BIN=$(CARGO_TARGET_DIR)/release/gateway scripts/bench/gateway-endurance.sh
	scripts/bench/mongo-api.sh
	scripts/bench/auth.sh

##@ Housekeeping

.PHONY: deps
deps:
	@scripts/install-deps.sh

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: clean
clean: down ## Remove the containers and what was built; data and images stay
	cargo clean

.PHONY: fclean
fclean: ## Also remove the data and the images; .env stays
	@scripts/compose-down.sh --all
	cargo clean
	rm -rf .data tests/e2e/node_modules tests/e2e/.venv

.PHONY: re
re: fclean up ## Start over with empty databases

.PHONY: help
help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
