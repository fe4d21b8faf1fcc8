# Ferrobase. `make help` lists what there is.

SHELL := bash
.DEFAULT_GOAL := help

CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR
FERROBASE := $(CARGO_TARGET_DIR)/debug/ferrobase

##@ Run

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
test: deps fmt-check lint test-rust test-e2e ## Everything the gate runs

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
test-e2e: ## The whole stack, driven by supabase-js
	cargo build --locked --bin ferrobase
	scripts/e2e.sh $(FERROBASE)

.PHONY: contracts
contracts: ## Rewrite contracts/*.json from the code
	UPDATE_CONTRACTS=1 cargo test --workspace contract

##@ Measure

.PHONY: bench
bench: deps ## Benchmarks; prints ratios against a peer
	cargo build --release --locked --bin ferrobase
	scripts/bench.sh $(CARGO_TARGET_DIR)/release/ferrobase

##@ Housekeeping

.PHONY: deps
deps:
	@scripts/install-deps.sh

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: clean
clean: ## Remove what was built
	cargo clean

.PHONY: fclean
fclean: clean ## Also remove the development data; .env stays
	rm -rf .data tests/e2e/node_modules

.PHONY: re
re: fclean dev ## Start over with empty databases

.PHONY: help
help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
