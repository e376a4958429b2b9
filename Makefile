# Two commands set everything up on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OIDC := tests/oidc

ENVS := .venvs
OLD_CONNECTORS := 4.1.1 4.4.0

.PHONY: demo test test-connectors test-dbt check format bench setup clean

demo: setup
	$(BIN)/lakekey demo

test: setup $(OIDC)/node_modules/.installed
	$(BIN)/python -m pytest

# What the SQL adapter promises holds for the older connectors that people run, too.
# They leave sockets to the garbage collector, which is theirs to answer for.
test-connectors: $(OLD_CONNECTORS:%=$(ENVS)/connector-%/.installed)
	set -e; for release in $(OLD_CONNECTORS); do \
	  $(ENVS)/connector-$$release/bin/python -m pytest -W ignore::pytest.PytestUnraisableExceptionWarning \
	    tests/integration/test_sql_connector.py; \
	done

# dbt in its own environment, against the sandbox's Spark engine in another.
test-dbt: setup $(ENVS)/dbt/.installed $(ENVS)/spark/.installed
	$(BIN)/python -m pytest tests/dbt

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

# Tools whose requirements clash with the newest connector's, each in an environment of its own.
$(ENVS)/%/.installed: requirements/%.txt $(VENV)/.installed
	$(PYTHON) -m venv $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --no-deps --require-hashes --compile-bytecode -r $<
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --no-deps --no-build-isolation --editable . $(EDITABLE_$*)
	touch $@

EDITABLE_dbt := --editable packages/dbt-lakekey

$(OIDC)/node_modules/.installed: $(OIDC)/package-lock.json
	cd $(OIDC) && npm ci --silent --ignore-scripts
	touch $@

clean:
	rm -rf $(VENV) $(OIDC)/node_modules build dist
