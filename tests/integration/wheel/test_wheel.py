"""What users install: the wheels of lakekey and lakekey-sandbox, with the checkout's source out of sight."""

import ast
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest

import lakekey

ROOT = Path(__file__).parents[3]
WHEEL, SANDBOX = (next((ROOT / "build/wheels").glob(f"{name}-*.whl")) for name in ("lakekey", "lakekey_sandbox"))


@pytest.fixture(scope="module")
def code():
    """The modules of lakekey's wheel by path, parsed."""
    with zipfile.ZipFile(WHEEL) as wheel:
        return {name: ast.parse(wheel.read(name)) for name in wheel.namelist() if name.endswith(".py")}


def test_the_tests_import_the_installed_packages_and_not_the_checkout():
    import lakekey_sandbox

    for package in (lakekey, lakekey_sandbox):
        assert not Path(package.__file__).is_relative_to(ROOT / "src")
        assert not Path(package.__file__).is_relative_to(ROOT / "packages")


@pytest.mark.parametrize(
    ("wheel", "source"),
    [(WHEEL, ROOT / "src"), (SANDBOX, ROOT / "packages/lakekey-sandbox/src")],
    ids=["ours", "sandbox"],
)
def test_the_wheel_holds_every_file_of_the_source_as_it_is_and_no_other_and_so_does_what_is_installed(wheel, source):
    """Hence tests of what the code does, which run from the checkout, hold for what users install."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        held = {name: archive.read(name) for name in names}
    here = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == here
    place = Path(lakekey.__file__).parents[1]
    assert {name: (place / name).read_bytes() for name in names} == here


def test_the_wheel_makes_no_certificate_and_no_key_pair(code):
    called = {
        (name, node.attr)
        for name, tree in code.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("generate_private_key", "CertificateBuilder")
    }
    assert called == set()


def test_the_wheel_imports_none_of_what_the_sandbox_is_made_of(code):
    imported = {
        name.partition(".")[0]
        for tree in code.values()
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "requests" in imported
    assert imported & {"authlib", "duckdb", "flask", "joserfc", "lz4", "pytest", "sqlglot", "werkzeug"} == set()


def test_lakekey_brings_no_pytest_plugin_and_the_sandbox_brings_one():
    plugins = {point.name: point.dist.name for point in entry_points(group="pytest11")}
    assert plugins["lakekey_sandbox"] == "lakekey-sandbox"
    assert "lakekey" not in plugins.values()


def test_the_extra_brings_the_sandbox_of_the_same_version():
    version = distribution("lakekey").version
    assert distribution("lakekey-sandbox").version == version
    assert f"lakekey-sandbox=={version}; extra == 'sandbox'" in distribution("lakekey").requires


def test_without_the_sandbox_its_name_says_how_to_install_it(tmp_path):
    program = "import sys; sys.modules['lakekey_sandbox'] = None\nfrom lakekey.sandbox import Sandbox"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "pip install 'lakekey[sandbox]'" in done.stderr
