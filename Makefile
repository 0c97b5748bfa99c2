# Three words: `make run`, `make test`, `make check`. Each needs only Python 3.11 or newer
# with venv, sets up .venv by itself and is quick the second time.

PORT ?= 8787
ARGS ?= -n 2
VENV := .venv
BIN := $(VENV)/bin
NODE_TESTS := tests/sdk/node

.PHONY: help run test check docs bench clean
.DEFAULT_GOAL := help

help:
	@echo "make run     start a demo gateway on port $(PORT) (PORT=... changes it)"
	@echo "make test    run the tests (ARGS=... goes to pytest)"
	@echo "make check   formatting, lint, types and the import floors"
	@echo "make docs    write the generated parts of the docs anew"
	@echo "make bench   measure beside nginx (BENCH=... goes to python -m benchmarks)"
	@echo "make clean   remove the virtual environment"

run: $(VENV)/.ready-run
	$(BIN)/llmgateway serve --demo --port $(PORT)

test: $(VENV)/.ready-dev
	@if [ -f $(NODE_TESTS)/package.json ]; then $(MAKE) --no-print-directory $(VENV)/.ready-node; fi
	$(BIN)/pytest $(ARGS)

check: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.ready-dev
	$(BIN)/python docs/generate.py
	$(BIN)/python -m llmgateway.providers.docs docs/providers.md

# Needs Linux, gcc, nginx and two cores; docs/performance.md tells the rest.
bench: $(VENV)/.ready-run
	$(BIN)/python -m benchmarks $(BENCH)

clean:
	rm -rf $(VENV)

# Version managers leave names on the path that do not run, so each one is tried by running it.
$(VENV)/bin/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			echo "creating $(VENV) with $$("$$python" --version)"; \
			exec "$$python" -m venv $(VENV); \
		fi; \
	done; \
	echo "no Python 3.11 or newer with venv was found; say where: make PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.ready-run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[standalone]"
	@touch $@

# The dev extra holds all that `make run` needs, so it marks both as done.
$(VENV)/.ready-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@ $(VENV)/.ready-run

$(VENV)/.ready-node: $(NODE_TESTS)/package.json | $(VENV)/bin/python
	@if command -v npm >/dev/null 2>&1; then \
		npm install --prefix $(NODE_TESTS) --no-audit --no-fund --loglevel=error && touch $@; \
	else \
		echo "npm is absent: the tests of the npm SDK will be skipped" >&2; \
	fi
