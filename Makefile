# Two commands set everything up on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SPARK := .venvs/spark
SPARK35 := .venvs/spark35
WHEEL := .venvs/wheel
WINDOWS := .venvs/windows
OIDC := tests/support/servers/oidc
# Programs that the tests run against, by the names of the distribution's packages; installed only where missing.
SYSTEM_PACKAGES := chromium chromium-driver dbus-daemon faketime fish gnome-keyring iproute2 nginx-light openjdk-17-jdk-headless \
  pgbouncer postgresql redis-sentinel redis-server zsh

OLD_CONNECTORS := 4.1.1 4.4.0

MUTANTS ?= --sample 40 src/lakekey

.PHONY: demo docs docs-pictures docs-releases test test-main test-wheel test-spark test-connectors test-dbt test-airflow test-site test-windows mutants environments check format bench bench-docs bench-spark lock setup clean

demo: setup
	$(BIN)/lakekey demo

# The main part is run by itself. The others mostly wait for servers: `make -j2 test` runs two of them at once, longest
# first, when the environments are there that they share. A part that fails keeps none of the others from being run, and
# fails the whole. RETRY runs once more a part that failed; of the main one, pytest repeats single tests: PYTEST_ARGS.
MAIN_PART := test-main
OTHER_PARTS := test-dbt test-spark test-airflow test-connectors test-wheel test-site
ENVIRONMENTS = $(VENV)/.system-packages $(OLD_CONNECTORS:%=.venvs/connector-%/.installed) \
  $(SPARK)/.installed $(SPARK35)/.installed .venvs/dbt/.installed .venvs/airflow/.installed .venvs/docs/.installed

test:
	@main=0; $(MAKE) part-$(MAIN_PART) || main=1; \
	$(MAKE) --keep-going environments; \
	$(MAKE) --keep-going $(OTHER_PARTS:%=part-%) && exit $$main

environments: $(ENVIRONMENTS)

part-%:
	@begun=$$(date +%s); outcome=passed; \
	if $(MAKE) $*; then :; \
	elif test -n "$(RETRY)" && test $* != test-main && echo "$* failed: once more" && $(MAKE) $*; then :; \
	else outcome=failed; fi; \
	echo "$* $$outcome after $$(($$(date +%s) - begun)) s"; test $$outcome = passed

test-main: setup $(VENV)/.system-packages $(OIDC)/node_modules/.installed
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# pyspark is large and wants an older pandas, so it has environments of its own: the newest, with its Connect server,
# and 3.5, whose client alone is run, against that server; it uses what Python is about to drop, and leaves files open.
test-spark: $(SPARK)/.installed $(SPARK35)/.installed $(VENV)/.system-packages
	$(SPARK)/bin/python -m pytest --timeout 300 tests/integration/spark --ignore=tests/integration/spark/test_spark_warehouse.py
	$(SPARK)/bin/python -m pytest --timeout 300 tests/integration/spark/test_spark_warehouse.py
	SPARK_SERVER_PYTHON=$(abspath $(SPARK))/bin/python $(SPARK35)/bin/python -m pytest --timeout 300 tests/integration/spark/any_client \
	  -W ignore::DeprecationWarning -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning

# What the SQL adapter promises holds for the older connectors that people run, too.
# They leave sockets to the garbage collector, which is theirs to answer for.
test-connectors: setup $(OLD_CONNECTORS:%=.venvs/connector-%/.installed)
	set -e; for release in $(OLD_CONNECTORS); do \
	  .venvs/connector-$$release/bin/python -m pytest -W ignore::pytest.PytestUnraisableExceptionWarning \
	    tests/integration/connectors/test_sql_connector.py; \
	done

# dbt in its own environment, against the sandbox's Spark engine in another.
test-dbt: setup .venvs/dbt/.installed $(SPARK)/.installed $(VENV)/.system-packages
	$(BIN)/python -m pytest tests/integration/dbt

# Airflow pins too much to share an environment. Its whole service is started, on loopback, against the sandbox.
test-airflow: .venvs/airflow/.installed
	.venvs/airflow/bin/python -m pytest tests/integration/airflow

# CPython for Windows, run by Wine: the cache's unit tests there, and programs there against servers on Linux's loopback.
# Not a part of `make test` yet: it takes long on two cores. Where Wine is not there, it says so and passes, unless
# LAKEKEY_REQUIRE_ALL is set.
test-windows: $(WINDOWS)/.installed
	@if test -x $(WINDOWS)/python/python.exe; then set -e -x; \
	  $(BIN)/python tests/windows/run_native.py; $(BIN)/python -m pytest tests/windows; \
	else echo "test-windows skipped: Wine is not installed"; test -z "$(LAKEKEY_REQUIRE_ALL)"; fi

# Breaks lines of the source one at a time and reports the breaks that no test notices: MUTANTS="src/lakekey/sql".
mutants: setup $(OIDC)/node_modules/.installed
	$(BIN)/python tests/mutation/break_lines.py $(MUTANTS)

$(WINDOWS)/.installed: requirements/windows.txt requirements/windows-python.txt tests/windows/set_up.py | setup
	@if ! command -v wine >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wine wine64; fi
	@if command -v wine >/dev/null; then $(BIN)/python tests/windows/set_up.py && touch $@; else mkdir -p $(@D); fi

# What users install: the wheels, in an environment of their own, with the source out of sight.
test-wheel: setup
	rm -rf build/wheels
	$(BIN)/python -m hatchling build -t wheel -d build/wheels
	cd packages/lakekey-sandbox && $(abspath $(BIN))/python -m hatchling build -t wheel -d $(abspath build/wheels)
	test -x $(WHEEL)/bin/python || $(PYTHON) -m venv $(WHEEL)
	$(call install,$(WHEEL),--require-hashes -r requirements/dev.txt,--compile-bytecode)
	$(call install,$(WHEEL),--force-reinstall build/wheels/*.whl,)
	$(WHEEL)/bin/python -m pytest tests/integration/wheel tests/integration/pages tests/integration/connectors tests/typing

# The site of the documentation, in build/docs: a broken link fails it. docs-releases adds each tagged release.
docs: .venvs/docs/.installed
	.venvs/docs/bin/python docs/build.py

docs-releases: .venvs/docs/.installed
	.venvs/docs/bin/python docs/build.py --releases

# The pictures that programs draw: the screenshots of the pages, and the recording of the demo.
docs-pictures: setup $(VENV)/.system-packages
	LAKEKEY_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/integration/login/test_login_chromium.py
	$(BIN)/python docs/record.py docs/pictures/demo.svg $(BIN)/lakekey demo --no-browser

test-site: setup .venvs/docs/.installed $(VENV)/.system-packages
	$(BIN)/python -m pytest tests/integration/site

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/unit/project/test_public_surface.py

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Our numbers beside our peers', which live in an environment of their own; bench-docs puts them into docs/.
bench: .venvs/bench/.installed $(VENV)/.system-packages
	.venvs/bench/bin/python benchmarks/run.py --json build/bench.json

bench-docs: bench
	.venvs/bench/bin/python benchmarks/plot.py build/bench.json

bench-spark: $(SPARK)/.installed $(VENV)/.system-packages
	$(SPARK)/bin/python benchmarks/spark_rpc.py

setup: $(VENV)/.installed

# Packages by name, version and hash; uv because it is quick, and pip where uv does not get through: only pip goes by
# the machine's pip.conf, in which a company names its index and its certificates. Bytecode is compiled here, since some
# machines tell Python not to write it, and then every start would pay for compiling.
# $(call install,environment,what,options for uv alone)
install = $(BIN)/uv pip install --quiet --python $(1)/bin/python --no-deps $(3) $(2) || \
  { echo "uv did not get through, so pip installs it, which takes longer"; \
    $(1)/bin/python -m pip install --quiet --no-deps --compile $(2); }
$(VENV)/.installed: requirements/dev.txt requirements/bootstrap.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lakekey needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(call install,$(VENV),--require-hashes -r requirements/dev.txt,--compile-bytecode)
	$(call install,$(VENV),--no-build-isolation --editable . --editable packages/lakekey-sandbox)
	touch $@

# Tools whose requirements clash with the newest connector's, or that are large, each in an environment of its own.
.venvs/%/.installed: requirements/%.txt requirements/bootstrap.txt pyproject.toml | setup
	$(PYTHON) -m venv $(@D)
	$(call install,$(@D),--require-hashes -r $<,--compile-bytecode)
	$(call install,$(@D),--no-build-isolation --editable . --editable packages/lakekey-sandbox $(EDITABLE_$*))
	touch $@

EDITABLE_dbt := --editable packages/dbt-lakekey

# Pin everything anew: names, versions and hashes, no addresses.
LOCK := $(abspath $(BIN))/uv pip compile --quiet --universal --python-version 3.11 --no-emit-package lakekey --no-emit-package lakekey-sandbox \
  --generate-hashes --no-header --no-annotate --override requirements/overrides.txt
lock: setup
	$(LOCK) pyproject.toml --extra dev -o requirements/dev.txt
	set -e; for list in $(filter-out requirements/windows.in,$(wildcard requirements/*.in)); do \
	  $(LOCK) $$list -o $${list%.in}.txt; done
	$(subst --universal --python-version 3.11,--python-platform x86_64-pc-windows-msvc --python-version 3.13,$(LOCK)) \
	  --override requirements/windows-overrides.txt requirements/windows.in -o requirements/windows.txt

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
	rm -rf $(VENV) .venvs $(OIDC)/node_modules tests/support/programs/sdk_js/node_modules tests/typing/node_modules build dist
