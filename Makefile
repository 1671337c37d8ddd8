# make install | demo | test | test-all | bench | docs
# Needs Python 3.11 or newer and make; for the window also the system packages that README.md names.

PYTHON ?= python3
VENV   ?= .venv
# For CPU-only wheels of torch: make install TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
DEMO   ?= demo-project
PYTEST_FLAGS ?=
# Processes that share the tests; each file's tests stay together.
WORKERS ?= 2

BIN    := $(VENV)/bin
STAMP  := $(VENV)/.solera-installed
EXTRAS := app,demo,hf,analysis,bench,dev
SOURCES := core app plugins assets

.PHONY: install demo test test-all bench docs check-python lint types

install: $(STAMP)

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Solera needs Python 3.11 or newer as '$(PYTHON)'; name another with: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing; on Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 2; }

$(STAMP): pyproject.toml constraints.txt | check-python
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

demo: $(STAMP)
	$(BIN)/solera demo $(DEMO)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(STAMP)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/mypy tests

test: lint types
	$(BIN)/python tests/run.py -n $(WORKERS) --dist loadfile -m "not heavy and not gl and not gpu" $(PYTEST_FLAGS)

test-all: lint types
	$(BIN)/python tests/run.py -n $(WORKERS) --dist loadfile $(PYTEST_FLAGS)

bench: $(STAMP)
	$(BIN)/solera bench all
	$(BIN)/python -m solera.testing.bench_demo 3 docs/reference/demo-results.md

docs: $(STAMP)
	$(BIN)/python docs/generate.py
