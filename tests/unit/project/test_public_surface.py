"""What other programs may rely on."""

import ast
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lakekey
from lakekey import errors

HEAVY = ["requests", "urllib3", "ssl", "databricks", "pyspark", "keyring", "sqlalchemy", "asyncio", "filelock"]


def test_all_is_exactly_what_dir_shows_and_every_name_is_there():
    assert sorted(lakekey.__all__) == lakekey.__all__ == dir(lakekey)
    for name in lakekey.__all__:
        assert getattr(lakekey, name) is not None


def test_a_name_that_is_not_public_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lakekey.nothing


def test_provider_stays_the_function_whatever_was_imported_before():
    _ = lakekey.Provider, lakekey.sdk, lakekey.sql
    assert callable(lakekey.provider)


def modules_after(code):
    listing = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(listing.stdout.split())


def test_importing_lakekey_loads_no_connector_http_library_or_keyring():
    loaded = modules_after("import lakekey")
    assert "lakekey.errors" in loaded
    assert not loaded & set(HEAVY)


def tree():
    found = [errors.LakekeyError]
    for kind in found:
        found += kind.__subclasses__()
    return found


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_each_error_is_public_pickles_and_is_not_an_oserror(kind):
    error = kind("it broke", hint="fix it", profile="prod")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (kind, "prod: it broke (fix it)")
    assert (again.code, again.hint, again.profile) == (kind.code, "fix it", "prod")
    assert not issubclass(kind, OSError)
    assert getattr(lakekey, kind.__name__) is kind


def test_the_warning_says_what_errors_say(unattended):
    with pytest.warns(lakekey.ServicePrincipalMissingWarning, match=r"DATABRICKS_CLIENT_SECRET\)\.$") as caught:
        lakekey.provider(host="https://dbc.cloud.databricks.com")
    for said in (caught[0].message, pickle.loads(pickle.dumps(caught[0].message))):
        assert (said.code, said.profile) == ("service_principal_missing", "https://dbc.cloud.databricks.com")
        assert "client_id and client_secret" in said.hint
    assert caught[0].filename == __file__


USERS_PROGRAM = """
from datetime import datetime
from typing import assert_type
import lakekey
p = lakekey.provider(host="https://dbc.cloud.databricks.com", scopes=["sql"], user="ada@example.com")
assert_type(p, lakekey.Provider)
assert_type(p.headers(), dict[str, str])
assert_type(p.token().expires_at, datetime)
assert_type(p.target.http_path, str | None)
assert_type(lakekey.LoginRequired("").hint, str | None)
lakekey.provdier("prod")
"""


@pytest.mark.timeout(300)  # a type checker that begins without a cache, beside other tests
def test_type_checkers_see_the_public_names_and_no_others(tmp_path):
    cache = Path(__file__).parents[3] / ".mypy_cache/programs_of_users"  # `make check` runs this test, and `make test`
    program = tmp_path / "program.py"
    program.write_text(USERS_PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.findall(r"error: (.*)  \[", done.stdout) == ['Module has no attribute "provdier"; maybe "provider"?']


def test_error_codes_are_unique():
    codes = [kind.code for kind in tree()] + [errors.ServicePrincipalMissingWarning.code]
    assert len(set(codes)) == len(codes)


def test_what_cannot_be_changed_on_a_provider_is_named_and_not_what_can_be():
    made = lakekey.provider(host="https://dbc.cloud.databricks.com", client_id="app", client_secret="dose-secret")
    with pytest.raises(lakekey.ConfigurationError, match="scopes cannot be changed on a provider"):
        lakekey.sql.connect(made, catalog="main", http_path="/sql/1.0/warehouses/w", scopes="sql")


@pytest.mark.parametrize("name", ["airflow", "spark", "sql"])
def test_no_module_of_a_public_package_takes_the_name_of_its_function(name):
    """The import of a module sets the package's attribute of that name: the function would be gone."""
    package = Path(lakekey.__file__).parent / name
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert functions
    assert not functions & {path.stem for path in package.iterdir()}
