# The commands of this repository. What the parts of the tests are, and what they need, is in noxfile.py.

PYTHON ?= python3
BIN := .venv/bin
NOX := $(BIN)/python -m nox --session

MUTANTS ?= --sample 40 src/lakekey

.PHONY: demo test mutants check check-types check-surface format bench bench-docs bench-spark docs docs-releases \
  docs-pictures lock setup clean

demo: setup
	$(BIN)/lakekey demo

# Every part of the tests. One part: make test-main, test-spark, test-connectors, test-dbt, test-airflow, test-versions,
# test-wheel, test-site, test-windows; with arguments for pytest: make test-main PYTEST_ARGS="-x tests/unit".
test: setup
	$(NOX) all -- $(PYTEST_ARGS)

test-%: setup
	$(NOX) $* -- $(PYTEST_ARGS)

# Breaks lines of the source one at a time and reports the breaks that no test notices: MUTANTS="src/lakekey/sql".
mutants: setup
	$(NOX) mutants -- $(MUTANTS)

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory --jobs 2 check-types check-surface

# Each takes one processor for half a minute.
check-types:
	$(BIN)/mypy

check-surface:
	$(BIN)/python -m pytest -q tests/unit/project/test_public_surface.py

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Our numbers beside our peers'; bench-docs puts them into docs/. Some of them: make bench BENCH="hot_path cold_start".
bench: setup
	$(NOX) bench -- $(BENCH)

bench-docs: setup
	$(NOX) bench -- --docs

bench-spark: setup
	$(NOX) bench-spark

# The site of the documentation, in build/docs: a broken link fails it. docs-releases adds each tagged release.
docs: setup
	$(NOX) docs

docs-releases: setup
	$(NOX) docs -- --releases

# The pictures that programs draw: the screenshots of the pages, and the recording of the demo.
docs-pictures: setup
	$(NOX) docs-pictures

# Pins everything again: names, versions and hashes, no addresses.
lock: setup
	$(NOX) lock

setup:
	@$(PYTHON) requirements/install.py .venv requirements/dev.txt --editable . --editable packages/lakekey-sandbox

clean:
	rm -rf .venv .venvs tests/support/servers/oidc/node_modules tests/support/programs/sdk_js/node_modules \
	  tests/typing/node_modules build dist
