# Two commands set everything up on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OIDC := tests/oidc
# Programs that the tests run against, by the names of the distribution's packages; installed only where missing.
SYSTEM_PACKAGES := chromium chromium-driver dbus-daemon gnome-keyring

.PHONY: demo test check format bench setup clean

demo: setup
	$(BIN)/lakekey demo

test: setup $(VENV)/.system-packages $(OIDC)/node_modules/.installed
	$(BIN)/python -m pytest

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

# Where they cannot be installed, the tests that need them are skipped, unless LAKEKEY_REQUIRE_ALL is set.
$(VENV)/.system-packages: Makefile | $(VENV)/.installed
	@if dpkg -s $(SYSTEM_PACKAGES) >/dev/null 2>&1; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SYSTEM_PACKAGES); \
	else echo "for all tests, install: $(SYSTEM_PACKAGES)"; fi
	touch $@

$(OIDC)/node_modules/.installed: $(OIDC)/package-lock.json
	cd $(OIDC) && npm ci --silent --ignore-scripts
	touch $@

clean:
	rm -rf $(VENV) $(OIDC)/node_modules build dist
