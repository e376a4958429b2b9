"""The names by which other programs find lakekey. They break without an error of ours if one of these changes."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import lakekey
from lakekey import errors
from lakekey.cache.keys.kms.service import GROUP
from lakekey.cli.output import status_of

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {"lakekey": ROOT, **{name: ROOT / "packages" / name for name in ("lakekey-sandbox", "dbt-lakekey")}}
ENTRY_POINTS = {
    "lakekey": {
        "console_scripts": {"lakekey": "lakekey.cli:run"},
        "apache_airflow_provider": {"provider_info": "lakekey.airflow.provider_info:get_provider_info"},
        "airflow.plugins": {
            "lakekey": "lakekey.airflow.plugin:LakekeyPlugin",
            "lakekey_portal": "lakekey.airflow.portal:LakekeyPortalPlugin",
        },
    },
    "lakekey-sandbox": {"console_scripts": {}, "pytest11": {"lakekey_sandbox": "lakekey_sandbox.pytest_plugin"}},
    "dbt-lakekey": {"console_scripts": {}},
}
PUBLIC = [
    "CacheError",
    "CacheWriteFailed",
    "ConfigurationError",
    "CredentialsRefused",
    "KeyUnavailable",
    "LakekeyError",
    "LockTimeout",
    "LoginDenied",
    "LoginFailed",
    "LoginRequired",
    "LoginTimeout",
    "Provider",
    "ServicePrincipalMissingWarning",
    "StoreUnavailable",
    "Token",
    "TokenEndpointError",
    "TokenRefused",
    "UnsafeCache",
    "WrongIdentity",
    "__version__",
    "airflow",
    "httpx_auth",
    "keep_alive",
    "login",
    "logout",
    "profiles",
    "provider",
    "requests_auth",
    "sandbox",
    "sdk",
    "sessions",
    "spark",
    "sql",
    "sqlalchemy",
    "web",
]
# The library's own, as docs/reference/observability.md has them: `test_observability_page.py` holds the source to it.
LOGGERS = {
    "airflow",
    "audit",
    "automation",
    "background",
    "cache",
    "cli",
    "configuration",
    "delegated",
    "keep_alive",
    "login",
    "oauth",
    "provider",
    "serve",
    "session",
    "telemetry",
    "web",
}
OF_THE_SANDBOX = {"lakekey.sandbox", "lakekey.sandbox.person"}


@pytest.mark.parametrize("package", PACKAGES)
def test_entry_points_of_each_package(package):
    project = tomllib.loads((PACKAGES[package] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})} == ENTRY_POINTS[package]


@pytest.mark.parametrize(
    ("package", "target"),
    [
        (package, target)
        for package, groups in ENTRY_POINTS.items()
        for points in groups.values()
        for target in points.values()
    ],
)
def test_each_entry_point_leads_to_code(package, target):
    """Without loading it: most need a framework."""
    module, _, name = target.partition(":")
    place = PACKAGES[package] / "src" / module.replace(".", "/")
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert not name or name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_group_in_which_other_packages_offer_key_sources():
    assert GROUP == "lakekey.key_sources"


def test_public_names():
    assert lakekey.__all__ == PUBLIC


def test_loggers_of_the_library():
    page = (ROOT / "docs/reference/observability.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `lakekey\.(\w+)` \| [A-Z]+ \|", page, re.MULTILINE)) == LOGGERS


def test_loggers_of_the_sandbox():
    source = (PACKAGES["lakekey-sandbox"] / "src").rglob("*.py")
    named = [re.findall(r'getLogger\("(lakekey[\w.]*)"', path.read_text(encoding="utf-8")) for path in source]
    assert set().union(*named) == OF_THE_SANDBOX


def test_exit_status_of_each_error():
    kinds = [errors.LakekeyError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    statuses = {kind.__name__: status_of(kind("it broke")) for kind in kinds}
    others = {name: status for name, status in statuses.items() if status != 1}
    assert others == {"ConfigurationError": 2, "LoginRequired": 3}
