# Two commands set everything up on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OIDC := tests/oidc
AIRFLOW := .venvs/airflow

.PHONY: demo test test-airflow check format bench setup clean

demo: setup
	$(BIN)/lakekey demo

test: setup $(OIDC)/node_modules/.installed test-airflow
	$(BIN)/python -m pytest

# Airflow pins too much to share an environment.
test-airflow: $(AIRFLOW)/.installed
	$(AIRFLOW)/bin/python -m pytest tests/airflow

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_public_surface.py

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(BIN)/python benchmarks/run.py

setup: $(VENV)/.installed

# Packages by name, version and hash; uv only because it is quick. Bytecode is compiled here, since some machines
# tell Python not to write it, and then every start would pay for compiling.
$(VENV)/.installed: requirements/dev.txt requirements/bootstrap.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lakekey needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --compile-bytecode -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

$(AIRFLOW)/.installed: requirements/airflow.txt pyproject.toml $(VENV)/.installed
	$(PYTHON) -m venv $(AIRFLOW)
	$(BIN)/uv pip install --quiet --python $(AIRFLOW)/bin/python --no-deps --require-hashes --compile-bytecode -r requirements/airflow.txt
	$(BIN)/uv pip install --quiet --python $(AIRFLOW)/bin/python --no-deps --no-build-isolation --editable .
	touch $@

$(OIDC)/node_modules/.installed: $(OIDC)/package-lock.json
	cd $(OIDC) && npm ci --silent --ignore-scripts
	touch $@

clean:
	rm -rf $(VENV) .venvs $(OIDC)/node_modules build dist
