# All that a person needs on a machine with Python 3.11+ and make: every target makes .venv where it is missing.

PYTHON ?= $(shell command -v python3.13 || command -v python3.12 || command -v python3.11 || command -v python3)
BIN := .venv/bin
JOBS ?= 2

.PHONY: demo test check format lock clean

demo: .venv/ready
	@$(BIN)/python -m cnnlab.demo

test: .venv/ready
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

check: .venv/ready
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

format: .venv/ready
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Exact versions, without the address of any index.
lock: .venv/ready
	@$(BIN)/uv pip compile pyproject.toml --group dev --all-extras --universal --no-header --no-annotate \
		--no-emit-index-url --quiet --output-file requirements.lock

.venv/ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
