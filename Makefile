# The front door: every target is one call of the command line in src/iolab. Variables given to make reach it through
# the environment: `make bench CPUS=2 MODELS=asyncio`. The first target makes .venv.

PYTHON ?= python3
export PYTHON
BIN := .venv/bin
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER

# A variable on make's command line is text, as it is in the environment: make RUN='$(x)' must not become make RUN=.
$(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(eval override $(name) := $$(value $(name)))$(eval export $(name))))

# .venv of another folder, of which this one is a copy, or from which it was moved.
MOVED := $(shell [ ! -e .venv ] || [ "$$(cat .venv/folder 2>/dev/null)" = "$$(pwd -P)" ] || echo moved)
.PHONY: moved

# Commands of kinds of experiments: the registry has them.
KINDS := $(shell awk -F '"' '/": Entry/ {print $$4}' src/iolab/kinds/registry.py)
COMMANDS := $(KINDS) lab ready models learn answer hint submit grade run ab theory open report explain export crosscheck contract locust worker up down trace-compare compare doctor

.DEFAULT_GOAL := help
.PHONY: help $(COMMANDS) trace sweep backlog test test-docker test-load test-all check format reference manifests translations sbom lock walk mutate walltime pagecost aa coverage arrivals workers parsebench gradebench clean

help: ## Start | | Show this help
	@cat docs/make-help.txt

help-%: .venv/run
	@$(BIN)/iolab $* --help

$(COMMANDS): .venv/run
	@$(BIN)/iolab $@

sweep: .venv/run ## Experiments | 5 min | Measure every server at several CPU limits
	@EXPERIMENT="$${EXPERIMENT:-experiments/cores.toml}" $(BIN)/iolab bench

backlog: .venv/run ## Experiments | 1 min | Measure server A with accept queues of 5 to 1024
	@EXPERIMENT="$${EXPERIMENT:-experiments/backlog.toml}" $(BIN)/iolab bench

help-sweep: .venv/run
	@EXPERIMENT="$${EXPERIMENT:-experiments/cores.toml}" $(BIN)/iolab bench --help

help-backlog: .venv/run
	@EXPERIMENT="$${EXPERIMENT:-experiments/backlog.toml}" $(BIN)/iolab bench --help

trace: .venv/run
	@$(BIN)/iolab trace --html

test: .venv/dev ## Maintain | 3 min | Run the fast tests, which need only Python and make
	@$(BIN)/python -m tests.tiers fast $(if $(TIMES),--times)

test-docker: .venv/dev ## Maintain | 6 min | Run the tests on Docker
	@$(BIN)/python -m tests.tiers docker $(if $(TIMES),--times)

test-load: .venv/dev ## Maintain | 7 min | Run the tests with many users, hosts, a browser
	@$(BIN)/python -m tests.tiers load $(if $(TIMES),--times)

test-all: .venv/dev ## Maintain | 16 min | Run all tests
	@$(BIN)/python -m tests.tiers all $(if $(TIMES),--times)

walk: .venv/dev ## Maintain | 6 min | Do the whole course as a student, in a copy
	@$(BIN)/python -m tests.learn.walk

mutate: .venv/dev ## Maintain | | Change lines of the code: do the tests fail?
	@sh scripts/mutate

check: .venv/dev ## Maintain | 1 min | Lint and type-check everything
	@sh scripts/check

format: .venv/dev ## Maintain | 1 s | Format the Python code
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

reference: .venv/dev ## Maintain | 10 s | Write docs/reference.md and this help
	@$(BIN)/python -m iolab.reference

manifests: .venv/dev ## Maintain | 1 s | Write deploy/ from docker-compose.yml
	@$(BIN)/python -m iolab.manifests

translations: .venv/run ## Maintain | 1 s | Show which translated handouts are stale
	@$(BIN)/python -m iolab.learn.translations

sbom: .venv/dev ## Maintain | 2 min | Write bills of materials and docs/licences.md
	@$(BIN)/python -m iolab.sbom

lock: .venv/dev ## Maintain | 1 min | Pin all requirements, with hashes
	@sh scripts/lock

walltime: .venv/run ## Maintain | 1 min | Measure what a benchmark adds to its requests
	@$(BIN)/python benchmarks/wall_time.py

pagecost: .venv/run ## Maintain | 3 min | Measure what the lab's page costs
	@$(BIN)/python benchmarks/page.py

aa: .venv/run ## Maintain | 1 h | A/A test: false-positive rate of `compare`
	@$(BIN)/python benchmarks/aa.py

coverage: .venv/run ## Maintain | | Simulate: do intervals hold the true value?
	@$(BIN)/python -m benchmarks.coverage

arrivals: .venv/run ## Maintain | | Benchmark the open-loop load generator
	@$(BIN)/python benchmarks/arrivals.py

workers: .venv/run ## Maintain | | Benchmark Locust workers
	@$(BIN)/python benchmarks/workers.py

parsebench: .venv/run ## Maintain | | Benchmark the parser of strace logs
	@$(BIN)/python benchmarks/parser.py

gradebench: .venv/dev ## Maintain | 2 min | Benchmark the grading of zips
	@$(BIN)/python -m benchmarks.grading

clean: ## Maintain | 1 s | Remove .venv and caches; results stay
	rm -rf .venv .venv-streamlit* .mypy_cache .pytest_cache .ruff_cache

.venv/run: requirements-installer.txt requirements.txt pyproject.toml $(MOVED)
	@sh scripts/venv "$$PYTHON" requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/run
	@sh scripts/venv "$$PYTHON" requirements-dev.txt
	@touch $@
