# The front door: every target is one call of the command line in src/iolab. Variables given to make reach it through
# the environment: `make bench CPUS=2 MODELS=asyncio`. The first target makes .venv.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help bench up down report doctor test check format lock walltime clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Options of bench (make bench CPUS=2): CPUS MODELS CONCURRENCY REQUESTS REPEATS LOADGEN RUNTIME"
	@echo "  WAIT_MS WAIT_DISTRIBUTION CPU_MS BACKLOG THREADS SEED EXPERIMENT RESULTS; of up: CPUS WORKERS"

bench: .venv/run ## Measure every server with 4 and 16 users, and write a report
	@$(BIN)/iolab bench

up: .venv/run ## Start everything: servers, Streamlit under strace, Locust's web page
	@$(BIN)/iolab up

down: .venv/run ## Stop everything, and leave nothing behind
	@$(BIN)/iolab down

report: .venv/run ## Make the newest report anew (RUN=folder: of another run)
	@$(BIN)/iolab report $(RUN)

doctor: .venv/run ## Say what this machine has of what the lab uses
	@$(BIN)/iolab doctor

test: .venv/dev ## Run all tests; those on Docker where an engine answers
	@$(BIN)/pytest

check: .venv/dev ## Lint and type-check everything
	@sh scripts/check

format: .venv/dev ## Format the Python code
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock: .venv/dev ## Pin all requirements anew, with hashes
	@sh scripts/lock

walltime: .venv/run ## Benchmark the benchmark: its wall time beside the time of its requests
	@$(BIN)/python benchmarks/wall_time.py

clean: ## Remove .venv and caches; results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache

.venv/run: requirements.txt pyproject.toml
	@sh scripts/venv "$(PYTHON)" requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/run
	@sh scripts/venv "$(PYTHON)" requirements-dev.txt
	@touch $@
