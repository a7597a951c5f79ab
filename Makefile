PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 60
BENCH_RUNS ?= 30
# A training step takes and frees hundreds of megabytes. By default glibc gives blocks of that size back to the kernel
# each time, and gets them again page by page; so it keeps them, in one arena that all threads share.
KEEP_MEMORY := MALLOC_ARENA_MAX=1 MALLOC_MMAP_MAX_=0 MALLOC_TOP_PAD_=67108864 MALLOC_TRIM_THRESHOLD_=2147483647
# One a processor. The tests of a file share what was trained and served for them, so a file stays in one process.
TEST_WORKERS ?= logical

.PHONY: help app train test fuzz bench lint format clean

help:  ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

app: $(VENV)/app-installed  ## Install what the app needs and serve it at http://localhost:8501
	$(BIN)/streamlit run streamlit_app.py

train: $(VENV)/app-installed  ## Train a model: make train NAME=cnn DATA=data/chest_xray
	$(KEEP_MEMORY) $(BIN)/python -m pneumo train $(NAME) --data $(DATA) $(ARGS)

test: $(VENV)/dev-installed lint  ## Install what the tests need and run them all
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --maxprocesses 4 --dist loadfile --cov=pneumo --cov-report=term --cov-fail-under=85 $(PYTEST_ARGS)

fuzz: $(VENV)/dev-installed  ## Look for inputs that break the reader, FUZZ_SECONDS=60 long (Linux on x86-64)
	$(BIN)/python tests/corpus/fuzz_reader.py $(FUZZ_SECONDS)

bench: $(VENV)/dev-installed  ## Measure how long a user waits in a real browser, BENCH_RUNS=30 times each
	$(BIN)/python tests/browser/bench.py $(BENCH_RUNS)

lint: $(VENV)/dev-installed  ## Check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/dev-installed  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pneumo needs Python 3.11 or newer. Name one: make app PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/app-installed: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(VENV)/dev-installed: requirements-dev.txt $(VENV)/app-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
