# Each command sets up all it needs: an environment in .venv with the tested versions in constraints.txt.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# torch is installed first and pinned: without a pin, an index may give a newer build with gigabytes of CUDA libraries
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)

.PHONY: demo test test-system lint clean check-python

demo: $(VENV)/.installed ## Run the main job: sweep digits, print its frontier, write its figures
	$(BIN)/ratefront sweep digits --resume

# two processes share two cores: with two threads each, torch's would wait for one another most of the time
test test-system: export OMP_NUM_THREADS := 1

test: $(VENV)/.installed-test ## Formatting, lint, types, import contracts, tests; as CI does
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --dist worksteal

test-system: $(VENV)/.installed-test ## What needs Debian packages, a browser, real data or minutes
	sh tests/system/install.sh
	$(BIN)/pytest -m system --numprocesses 2 --dist loadfile

clean: ## Remove the environment and what tools cache; never a sweep
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

check-python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
		|| { echo "ratefront needs Python 3.11, 3.12 or 3.13: got '$$($(PYTHON) --version 2>&1)'; say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "ratefront needs Python's venv module: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt | check-python
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH)
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable '.[test]'
	@touch $@
