# The front door: every target is one call of the command line in src/iolab. Variables given to make reach it through
# the environment: `make bench CPUS=2 MODELS=asyncio`. The first target makes .venv.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help bench run sweep backlog freeze break chess queue crowd faults slo locust worker up down trace trace-compare report crosscheck compare explain export doctor test test-docker test-load test-all check format reference lock mutate walltime aa arrivals workers parsebench clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "Options of bench, sweep, backlog (make bench CPUS=2): CPUS MODELS CONCURRENCY REQUESTS REPEATS PRECISION BUDGET LOADGEN"
	@echo "  RUNTIME WAIT_MS WAIT_DISTRIBUTION CPU_MS BACKLOG THREADS SEED EXPERIMENT RESULTS RESUME; of up: CPUS WORKERS"
	@echo "Options of queue (make queue MODELS=A): MODELS UTILISATION DURATION PROCESS TRACE WAIT_DISTRIBUTION WAIT_MS SEED"
	@echo "  WORKERS JOIN BIND LOCUST_MASTER_PORT RUNTIME EXPERIMENT RESULTS RESUME; of explain: CPUS VARIANT"
	@echo "Options of crowd (make crowd USERS=1000): USERS MODELS WAY PROCESSES CPUS THREADS GC_FREEZE SEED RUNTIME EXPERIMENT RESULTS RESUME"
	@echo "Options of faults (make faults USERS=1000): USERS MODELS WAY CPUS RUNTIME EXPERIMENT RESULTS"
	@echo "Options of slo: SLO MODELS WAIT_MS WAIT_DISTRIBUTION SEED WORKERS JOIN BIND LOCUST_MASTER_PORT RUNTIME"
	@echo "  EXPERIMENT RESULTS RESUME"
	@echo "Options of chess (make chess BOARDS=12): MODELS BOARDS MOVES SCALE_MS THREADS RUNTIME EXPERIMENT RESULTS RESUME"
	@echo "Options of break: CPUS USERS RUNTIME EXPERIMENT RESULTS RESUME; of freeze: MODELS (one) RUNTIME EXPERIMENT RESULTS RESUME"
	@echo "Options of worker (make worker MASTER=192.168.1.10): MASTER WORKERS LOCUST_MASTER_PORT RUNTIME"
	@echo "Options of locust (make locust USERS=50): MODEL USERS TIME WAIT_MS RUNTIME RESULTS"
	@echo "Options of trace (make trace CLICK=1): LOG CLICK LOOP SERVICE RUNTIME RESULTS"

bench: .venv/run ## Measure every server with 4 and 16 users, and write a report
	@$(BIN)/iolab bench

sweep: .venv/run ## Measure every server at several CPU limits, waiting and computing (CPUS="0.1 0.25 0.5 1")
	@EXPERIMENT=$${EXPERIMENT:-experiments/cores.toml} $(BIN)/iolab bench

backlog: .venv/run ## Measure server A with listen queues of 5, 16, 128, 1024
	@EXPERIMENT=$${EXPERIMENT:-experiments/backlog.toml} $(BIN)/iolab bench

run: .venv/run ## Measure the experiment of a TOML file, of any kind (EXPERIMENT=experiments/backlog.toml)
	@$(BIN)/iolab run

freeze: .venv/run ## Let a server stand still for 2 s of 10 s: what do percentiles say, counted in two ways?
	@$(BIN)/iolab freeze

break: .venv/run ## Block an event loop, by waiting and by computing; threads and processes beside it: who suffers, who is it?
	@$(BIN)/iolab break

chess: .venv/run ## Let a chess master play 24 opponents, against every server, beside the arithmetic
	@$(BIN)/iolab chess

queue: .venv/run ## Let people come whether or not the servers keep up, beside queueing theory
	@$(BIN)/iolab queue

crowd: .venv/run ## Let thousands of people come who mostly wait: how many does each server hold? (USERS=1000)
	@$(BIN)/iolab crowd

faults: .venv/run ## Let things go wrong with a crowd: users vanish, do not read, come at once; the server is killed
	@$(BIN)/iolab faults

slo: .venv/run ## Find the highest rate at which each server meets an objective (SLO="p99<100ms")
	@$(BIN)/iolab slo

locust: .venv/run ## Let so many users ask one server for so long, by Locust (MODEL=asyncio USERS=200 TIME=60s)
	@$(BIN)/iolab locust

worker: .venv/run ## Make load for another machine that runs make up or make queue JOIN=1 (MASTER=192.168.1.10 WORKERS=4)
	@$(BIN)/iolab worker

up: .venv/run ## Start everything: servers, Streamlit under strace, Locust's web page
	@$(BIN)/iolab up

down: .venv/run ## Stop everything, and leave nothing behind
	@$(BIN)/iolab down

trace: .venv/run ## Tell what Streamlit's strace log shows, and draw it (CLICK=1: press the button first)
	@$(BIN)/iolab trace --html $(if $(LOG),"$(LOG)")

trace-compare: .venv/run ## Run Streamlit on three event loops, and show what each does, side by side
	@$(BIN)/iolab trace-compare

report: .venv/run ## Make the newest report anew (RUN=folder: of another run)
	@$(BIN)/iolab report $(if $(RUN),"$(RUN)")

crosscheck: .venv/run ## Measure the same cells by hey, Locust and wrk: do they tell the same?
	@$(BIN)/iolab crosscheck

compare: .venv/run ## Set two runs side by side: make compare RUNS="results/one results/other"
	@$(BIN)/iolab compare $(RUNS)

explain: .venv/run ## Say what the median of a cell of the newest run is made of: make explain CELL=C16
	@$(BIN)/iolab explain $(if $(RUN),"$(RUN)") $(if $(CELL),"$(CELL)")

export: .venv/run ## Write the newest run as CSV tables, for a notebook (RUN=folder: another run)
	@$(BIN)/iolab export $(if $(RUN),"$(RUN)")

doctor: .venv/run ## Say what this machine has of what the lab uses
	@$(BIN)/iolab doctor

test: .venv/dev ## Run the fast tests: no engine, no strace, no browser is needed
	@$(BIN)/python -m tests.tiers fast $(if $(TIMES),--times)

test-docker: .venv/dev ## Run the tests on Docker
	@$(BIN)/python -m tests.tiers docker $(if $(TIMES),--times)

test-load: .venv/dev ## Run the tests with many users, several hosts, a browser
	@$(BIN)/python -m tests.tiers load $(if $(TIMES),--times)

test-all: .venv/dev ## Run all tests
	@$(BIN)/python -m tests.tiers all $(if $(TIMES),--times)

mutate: .venv/dev ## Change chosen lines of the code, and see whether the tests fail (docs/testing.md)
	@sh scripts/mutate

check: .venv/dev ## Lint and type-check everything
	@sh scripts/check

format: .venv/dev ## Format the Python code
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

reference: .venv/dev ## Write docs/reference.md from the commands and their options
	@$(BIN)/python -m iolab.reference

lock: .venv/dev ## Pin all requirements anew, with hashes
	@sh scripts/lock

walltime: .venv/run ## Benchmark the benchmark: its wall time beside the time of its requests
	@$(BIN)/python benchmarks/wall_time.py

aa: .venv/run ## Compare the same thing with itself 40 times: how often is a difference seen?
	@$(BIN)/python benchmarks/aa.py

arrivals: .venv/run ## Benchmark the sending of planned arrivals: how late, at which rates
	@$(BIN)/python benchmarks/arrivals.py

workers: .venv/run ## Benchmark Locust workers: requests a second by user class and wait, one and several
	@$(BIN)/python benchmarks/workers.py

parsebench: .venv/run ## Benchmark the reading of logs: lines a second, memory
	@$(BIN)/python benchmarks/parser.py $(if $(LOG),"$(LOG)")

clean: ## Remove .venv and caches; results stay
	rm -rf .venv .venv-streamlit .mypy_cache .pytest_cache .ruff_cache

.venv/run: requirements-installer.txt requirements.txt pyproject.toml
	@sh scripts/venv "$(PYTHON)" requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/run
	@sh scripts/venv "$(PYTHON)" requirements-dev.txt
	@touch $@
