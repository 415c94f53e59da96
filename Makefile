# Two commands matter: `make demo` shows the main job, `make test` passes the tests. Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow check format bench bench-scenes docs clean

# Installed again whenever the dependencies change. A half-made .venv has no stamp and is repaired.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "interplay needs Python 3.11 or newer, found " + sys.version.split()[0] + "; set PYTHON=…")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV): PyTorch is about 5 GB with its CUDA libraries, a minute or more"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/interplay demo --out runs/demo

# Two workers with one thread each use two cores better than one worker with two threads.
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal --durations 25

test: $(STAMP)
	$(TESTS) -m "not slow"

test-slow: $(STAMP)
	$(TESTS) -m slow

check: $(STAMP)
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_import_directions.py

format: $(STAMP)
	$(BIN)/ruff check --fix src tests benchmarks examples
	$(BIN)/ruff format src tests benchmarks examples

# Full-size scene-graph models: an hour on two cores; the rows go to benchmarks/results.csv.
bench-scenes: $(STAMP)
	$(BIN)/python benchmarks/run.py --only scene_heads

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py --check

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
