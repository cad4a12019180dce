# All that a person needs on a machine with Python 3.11+ and make: every target makes .venv where it is missing.

# The newest Python that runs: a name on the path may stand for a version that is not there.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
JOBS ?= 2
# torch is large; a slow line needs longer than uv waits by itself.
export UV_HTTP_TIMEOUT ?= 300

.PHONY: demo test lint check docs format lock clean

demo: .venv/usable
	@$(BIN)/cnnlab demo

test: .venv/ready
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: .venv/ready
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: lint test

docs: .venv/ready
	@$(BIN)/mkdocs build --strict --quiet
	@echo "the site is in build/site/index.html"

format: .venv/ready
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Exact versions for every system, without the address of any index.
lock: $(BIN)/uv
	@$(BIN)/uv pip compile pyproject.toml --group dev --group docs --extra h5py --universal --python-version 3.11 --no-header \
		--no-annotate --no-emit-index-url --quiet --output-file requirements.lock

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "cnnlab needs Python 3.11 or later, and there is none on the path." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# What a user of the package installs, at the same versions: a third of what tests and pages need.
.venv/usable: requirements.lock pyproject.toml | $(BIN)/uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint requirements.lock --editable .
	@touch $@

.venv/ready: requirements.lock pyproject.toml | $(BIN)/uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --requirement requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
