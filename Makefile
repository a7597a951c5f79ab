PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 60
BENCH_RUNS ?= 30
LOAD_SESSIONS ?= 50
LOAD_SECONDS ?= 300
# A training step takes and frees hundreds of megabytes. By default glibc gives blocks of that size back to the kernel
# each time, and gets them again page by page; so it keeps them, in one arena that all threads share.
KEEP_MEMORY := MALLOC_ARENA_MAX=1 MALLOC_MMAP_MAX_=0 MALLOC_TOP_PAD_=67108864 MALLOC_TRIM_THRESHOLD_=2147483647
# One a processor, and one more for the time that the tests in the browser wait. What shares a trained model, a server or
# a browser stays in one process, see tests/conftest.py.
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN)
TEST_WORKERS ?= $(shell expr $(PROCESSORS) + 1)
PYTEST := $(BIN)/python -m pytest --maxprocesses 4 --dist loadscope --no-loadscope-reorder

# The extras that servers have; tests/deploy/test_lock.py names them, too.
SERVED := app statistics api pacs archive sign-in
# What builds the image: docker, podman or buildah.
BUILD ?= $(firstword $(foreach each,docker podman buildah,$(if $(shell command -v $(each)),$(each))))

.PHONY: help app train check test test-all test-light test-rest fuzz bench bench-browser load lint lock audit sbom image format clean

help:  ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

app: $(VENV)/app-installed  ## Install what the app needs and serve it at http://localhost:8501
	$(BIN)/streamlit run streamlit_app.py

train: $(VENV)/app-installed  ## Train a model: make train NAME=cnn DATA=data/chest_xray
	$(KEEP_MEMORY) $(BIN)/python -m pneumo train $(NAME) --data $(DATA) $(ARGS)

check: $(VENV)/dev-installed  ## Check format, style, types and imports, and run the tests without Keras: a minute
	@$(MAKE) --no-print-directory --jobs 2 lint test-light

test-light:
	$(PYTEST) -n $(PROCESSORS) -m "not keras and not slow and not browser" tests/unit $(PYTEST_ARGS)

test: $(VENV)/dev-installed  ## Run the tests of all that users meet: four minutes on two free cores
	$(PYTEST) -n $(TEST_WORKERS) -m "not slow" $(PYTEST_ARGS)

test-all: lint  ## Run `lint` and all tests, and count the lines of the library that its own tests run
	@$(MAKE) --no-print-directory test PYTEST_ARGS="--cov --cov-report=term --cov-fail-under=85 $(PYTEST_ARGS)"
	@$(MAKE) --no-print-directory test-rest

test-rest: $(VENV)/dev-installed  # What `test` leaves out.
	$(PYTEST) -n $(TEST_WORKERS) -m slow $(PYTEST_ARGS)

fuzz: $(VENV)/dev-installed  ## Look for inputs that break the reader, FUZZ_SECONDS=60 long (Linux on x86-64)
	$(BIN)/python tests/corpus/fuzz_reader.py $(FUZZ_SECONDS)

bench: $(VENV)/dev-installed  ## Measure each step beside other ways to do it and the machine's limits, in one table
	$(BIN)/python -m research.bench $(BENCH_ARGS)

bench-browser: $(VENV)/dev-installed  ## Measure how long a user waits in a real browser, BENCH_RUNS=30 times each
	$(BIN)/python tests/browser/bench.py $(BENCH_RUNS)

load: $(VENV)/dev-installed  ## Put LOAD_SESSIONS=50 visitors with films on a server for LOAD_SECONDS=300, and check every answer
	PYTHONPATH=tests:. $(BIN)/python -m load.visitors --sessions $(LOAD_SESSIONS) --seconds $(LOAD_SECONDS) $(LOAD_ARGS)

lint: $(VENV)/dev-installed  ## Check format, style, types and imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

lock: $(VENV)/tools-installed  ## Write requirements.lock anew: what servers need, from pyproject.toml
	$(VENV)/tools/bin/uv pip compile pyproject.toml $(addprefix --extra ,$(SERVED)) --universal --python-version 3.11 --generate-hashes \
	  --quiet --custom-compile-command "make lock" --output-file requirements.lock

audit: $(VENV)/tools-installed  ## Look up known holes in the packages of requirements.lock; needs the internet
	$(VENV)/tools/bin/pip-audit --requirement requirements.lock --disable-pip --require-hashes --strict

sbom: $(VENV)/tools-installed  ## Write sbom.json, the list of packages in CycloneDX; works offline
	grep -v -- --hash= requirements.lock | sed 's/ \\$$//' | \
	  $(VENV)/tools/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o sbom.json -

image:  ## Build the container image `pneumo`; BUILD_ARGS="--build-arg BASE=…" for another base
	$(BUILD) build -f deploy/Dockerfile -t pneumo $(BUILD_ARGS) .

format: $(VENV)/dev-installed  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pneumo needs Python 3.11 or newer. Name one: make app PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/app-installed: requirements.txt requirements-serve.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(VENV)/dev-installed: requirements-dev.txt $(VENV)/app-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

$(VENV)/tools-installed: requirements-tools.txt | $(BIN)/python
	$(BIN)/python -m venv $(VENV)/tools
	$(VENV)/tools/bin/pip install --quiet --disable-pip-version-check --requirement requirements-tools.txt
	@touch $@
