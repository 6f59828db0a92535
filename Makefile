# Everything from a fresh clone: each target makes the virtual environment that it needs.
#   make demo       train, convert and verify the small jet tagger; ends with the path of the report
#   make test       the whole test suite
#   make lint       ruff            make typecheck  mypy --strict
#   make bench      emulation against hls4ml's C++ simulation
#   make sweep      random networks of every layer: Keras, Program and C++ agree in every bit; ten minutes
#   make sweep-models  the same for the networks of ../shared/data
#   make docs       docs/layers.md and docs/hls4ml.md, which the tests compare with the code
#   make clean      remove caches and the environment; runs/ is kept

VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
WORKERS ?= 2
RECIPE ?= models/jet_tagger/fast.yaml

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --progress-bar off

.PHONY: demo test lint format typecheck bench sweep sweep-models docs clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.all
	$(BIN)/firmware-flows run $(RECIPE)

test: $(VENV)/.test
	timeout --foreground 1200 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

typecheck: $(VENV)/.test
	$(BIN)/mypy

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

sweep: $(VENV)/.test
	$(BIN)/python -m benchmarks.sweep

sweep-models: $(VENV)/.test
	$(BIN)/python -m benchmarks.shared_models

docs: $(VENV)/.test
	$(BIN)/python -m benchmarks.sweep.table

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3.11" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)

# The stamps say which extras an environment holds; the larger one serves for both.
$(VENV)/.all: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing firmware-flows with everything it can use into $(VENV) (about a minute) ..."
	$(PIP) --quiet --constraint constraints.txt --editable '.[all]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing firmware-flows and its test tools into $(VENV) (about a minute) ..."
	$(PIP) --quiet --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.all
