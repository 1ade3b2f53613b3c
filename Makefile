.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# One list of packages for every platform and every Python from 3.11 on.
LOCK := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock"
LOCKS := .
# Some of the benchmark's peers need Python 3.12 or later.
NEWER_PYTHON ?= $(shell for p in python3.12 python3.13 python3.14 $$HOME/.pyenv/versions/3.1[2-9]*/bin/python; \
	do $$p -c '' 2>/dev/null && echo $$p && break; done)

# Production settings, for checks that start no server.
CHECK := SECRET_KEY=for-checks-that-start-nothing-and-keep-nothing-0123456789 \
	ALLOWED_HOSTS=example.com DEBUG=false HTTPS=true API_ALLOW_ANONYMOUS=false DATABASE_URL=

.PHONY: help run test faults lint lock wheels format benchmark

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: $(VENV)/installed ## Start database, web and workers; reads PORT, HOST, DATA_DIR, DATABASE_URL; FAKE_LLM=1 adds a stand-in for the language model
	@exec $(BIN)/python $(if $(FAKE_LLM),-m tests.fakes.openrouter --run) manage.py up

test: $(VENV)/installed-dev ## Run the tests; ARGS="-k name" is passed to pytest
	@$(BIN)/python -m pytest $(ARGS)

faults: $(VENV)/installed-dev ## Break the running system on purpose; ROW="R01 R19", SEED=7, QUICK=1
	@$(BIN)/python -m tests.faults.harness $(ROW) $(if $(SEED),--seed $(SEED)) $(if $(QUICK),--quick)

lint: $(VENV)/installed-dev ## Check style, types, architecture, migrations and deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	EXTRA_APPS=tests.script $(BIN)/mypy .
	$(BIN)/lint-imports
	$(CHECK) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(CHECK) $(BIN)/python manage.py check --deploy --fail-level WARNING

lock: $(VENV)/installed-dev ## Write the lock files after a change of requirements*.txt; ARGS=--upgrade takes newer versions
	@$(LOCK) $(ARGS) requirements-dev.txt --output-file $(LOCKS)/requirements-dev.lock
	@for name in requirements requirements-otel; do \
		$(LOCK) $(ARGS) $$name.txt --constraints $(LOCKS)/requirements-dev.lock \
			--output-file $(LOCKS)/$$name.lock || exit; \
	done

wheels: $(VENV)/installed-dev ## Check the lock files: in order, and with wheels for every platform
	@.ci/wheels

format: $(VENV)/installed-dev ## Put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(VENV)/installed-benchmark ## Measure against the peers; ROW="P3 P5", QUICK=1
	@$(BIN)/python -m benchmarks $(if $(ROW),--row $(ROW)) $(if $(QUICK),--quick) $(ARGS)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is \
	needed, $(PYTHON) is %d.%d: name another with PYTHON=…" % sys.version_info[:2])'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.lock | $(BIN)/python
	@echo "Installing what $< names into $(VENV) …"
	@$(PIP) -r $<
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock requirements.lock | $(BIN)/python
	@echo "Installing what $< names into $(VENV) …"
	@$(PIP) -r $<
	@touch $@ $(VENV)/installed

$(VENV)/installed-benchmark: benchmarks/requirements.txt benchmarks/requirements-3.12.txt \
		benchmarks/systems/graphile/package.json $(VENV)/installed
	@$(PIP) -r $<
	@cp benchmarks/systems/graphile/package.json $(VENV)/package.json
	@if command -v npm >/dev/null; then npm install --silent --prefix $(VENV); fi
	@if [ -n "$(NEWER_PYTHON)" ]; then \
		$(NEWER_PYTHON) -m venv $(VENV)/newer-python && \
		$(VENV)/newer-python/bin/python -m pip install --quiet -r benchmarks/requirements-3.12.txt; fi
	@touch $@
