"""`make test` runs every part, and fails when any of them does, or when too much had to be run once more."""

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def noxfile():
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def parts(noxfile, tmp_path, capfd):
    """Runs parts that are shell commands; whether the run passed, and what it printed."""
    commands = {
        "good": "echo good was run",
        "other": f"echo other was run; touch '{tmp_path}/done'",
        "waits": f"until test -e '{tmp_path}/done'; do sleep 0.01; done",
        "left": f"touch '{tmp_path}/left'; until test -e '{tmp_path}/right'; do sleep 0.01; done",
        "right": f"touch '{tmp_path}/right'; until test -e '{tmp_path}/left'; do sleep 0.01; done",
        "bad": "exit 1",
        "shaky": f"mkdir '{tmp_path}/tried'",
        "again": f"mkdir '{tmp_path}/once' || exit 0; exit 1",
        "twice": f"mkdir '{tmp_path}/first' || exit 0; exit 1",
        "reruns": f'test -z "${noxfile.REPEATED}" || printf \'one\\ntwo\\n\' >>"${noxfile.REPEATED}"',
    }

    def run(first, *together, allowed=0):
        fine = noxfile.run_parts(first, together, lambda part: ["sh", "-c", commands[part]], allowed)
        return fine, capfd.readouterr().out

    return run


@pytest.mark.parametrize("allowed", [0, 3])
@pytest.mark.parametrize(("first", "together"), [("bad", ["good"]), ("good", ["bad", "other"])])
def test_part_that_fails_fails_the_whole_and_keeps_none_from_being_run(parts, allowed, first, together):
    fine, said = parts(first, *together, allowed=allowed)
    assert not fine
    for part in (first, *together):
        assert f"{part} {'failed' if part == 'bad' else 'passed'} after" in said
    assert ("bad failed: once more" in said) == (first != "bad" and allowed > 0)


def test_first_part_is_run_beside_all_the_others_of_which_two_run_at_a_time(parts):
    fine, said = parts("waits", "left", "right", "other")
    assert fine
    ended = min(said.index("left passed"), said.index("right passed"))
    assert ended < said.index("other was run") < said.index("waits passed")


def test_each_part_ends_with_the_time_that_it_took_of_a_processor(noxfile):
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    status, idle = noxfile.run_metered(["sh", "-c", "exit 3"], None)
    assert status == 3
    # A grandchild's work counts, too: pytest's own programs are that.
    _, worked = noxfile.run_metered(["sh", "-c", f"'{sys.executable}' -c '{busy}'; :"], None)
    assert idle + 0.2 < worked


@pytest.mark.parametrize(("allowed", "fine"), [(0, False), (1, True)])
def test_part_that_fails_once_is_repeated_only_where_that_is_allowed(parts, allowed, fine):
    assert parts("good", "again", allowed=allowed)[0] == fine


@pytest.mark.parametrize(("allowed", "fine"), [(1, False), (2, True)])
def test_more_repeats_than_are_allowed_fail_a_run_whose_parts_passed(parts, allowed, fine):
    passed, said = parts("good", "again", "twice", allowed=allowed)
    assert passed == fine
    assert f"run once more: 2, allowed: {allowed}" in said


@pytest.mark.parametrize(("allowed", "fine"), [(0, True), (1, False), (2, True)])
def test_repeats_of_single_tests_count(parts, allowed, fine):
    passed, said = parts("reruns", allowed=allowed)
    assert passed == fine
    assert ("one\n  two" in said) == (allowed > 0)


def test_pytest_writes_down_which_tests_it_repeated_and_shows_why(noxfile, tmp_path):
    shaky = tmp_path / "test_shaky.py"
    shaky.write_text("tried = []\n\n\ndef test_it():\n    tried.append(1)\n    assert len(tried) == 2\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "support.repeats", "--reruns", "1", "-n", "1", str(shaky)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "tests"), noxfile.REPEATED: str(tmp_path / "repeated")}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "repeated").read_text().splitlines() == ["test_shaky.py::test_it"]
    assert "run once more: test_shaky.py::test_it" in done.stdout
    assert "assert 1 == 2" in done.stdout


@pytest.mark.parametrize("in_ci", [False, True])
def test_ci_repeats_a_test_and_lists_the_slowest(noxfile, monkeypatch, in_ci):
    for name in ("system_packages", "oauth_server"):
        monkeypatch.setattr(noxfile, name, lambda _: None)
    given = []
    monkeypatch.setattr(noxfile, "pytest", lambda session, python, *arguments: given.append(arguments))
    monkeypatch.delenv(noxfile.REPEATED, raising=False)
    if in_ci:
        monkeypatch.setenv(noxfile.REPEATED, "a file")
    noxfile.main.func(None)
    assert given == [("-n", "3", *(["--reruns", "1", "-raR", "--durations", "30"] if in_ci else []))]


def test_contributing_has_the_times_that_ci_allows():
    allowed = re.findall(r"^run (\d+)m make (\w+)$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    (check, one), (tests, two) = allowed
    assert (one, two) == ("check", "test")
    page = " ".join((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    assert f"`make check` may take {check} minutes there and `make test` {tests}" in page


def test_bytecode_is_written_before_a_part_begins(noxfile, monkeypatch, tmp_path):
    (tmp_path / "module.py").touch()
    monkeypatch.setattr(noxfile, "COMPILED", (str(tmp_path),))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = []
    session = SimpleNamespace(posargs=(), run=lambda *_, **__: found.extend(tmp_path.rglob("module.*.pyc")))
    noxfile.pytest(session, sys.executable)
    assert len(found) == 1


@pytest.mark.parametrize("part", ["airflow", "connectors", "dbt", "site", "spark", "wheel"])
def test_what_a_part_imports_of_its_environment_is_compiled_once(noxfile, monkeypatch, tmp_path, part):
    monkeypatch.setattr(noxfile, "ROOT", tmp_path)
    for name in ("system_packages", "environment_of", "install"):
        monkeypatch.setattr(noxfile, name, lambda *_, **__: "python")
    environs = []
    monkeypatch.setattr(noxfile, "pytest", lambda *_, env: environs.append(env))
    getattr(noxfile, part)(SimpleNamespace(run=lambda *_: None, chdir=lambda _: contextlib.nullcontext()))
    assert environs
    assert {environ["PYTHONDONTWRITEBYTECODE"] for environ in environs} == {""}


def test_only_the_tools_are_compiled_as_they_are_installed(noxfile, monkeypatch, tmp_path):
    module = sys.modules[noxfile.environment.__module__]
    monkeypatch.setattr(module, "TOOLS", str(tmp_path / "tools"))
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: None)
    compiled = []
    monkeypatch.setattr(module, "install", lambda _, __, only_uv=(): compiled.append("--compile-bytecode" in only_uv))
    for name in ("tools", "other"):
        module.environment(str(tmp_path / name), "requirements/docs.txt")
    assert compiled == [True, False]


@pytest.mark.parametrize("part", ["spark", "dbt"])
def test_jvms_of_a_part_are_told_that_they_live_for_minutes(noxfile, monkeypatch, part):
    environs = []
    for name in ("system_packages", "environment_of"):
        monkeypatch.setattr(noxfile, name, lambda *_: "python")
    monkeypatch.setattr(noxfile, "pytest", lambda *_, env=None: environs.append(env or {}))
    getattr(noxfile, part)(SimpleNamespace())
    assert environs
    assert all("TieredStopAtLevel=1" in environ.get("JAVA_TOOL_OPTIONS", "") for environ in environs)


@pytest.mark.parametrize(("required", "how"), [(False, "skip"), (True, "error")])
def test_windows_is_skipped_with_a_word_without_wine_and_fails_where_all_is_required(
    noxfile, monkeypatch, required, how
):
    monkeypatch.setattr(noxfile.shutil, "which", lambda _: None)
    monkeypatch.delenv("LAKEKEY_REQUIRE_ALL", raising=False)
    if required:
        monkeypatch.setenv("LAKEKEY_REQUIRE_ALL", "1")

    def ends(by):
        def end(word):
            raise RuntimeError(by, word)

        return end

    with pytest.raises(RuntimeError) as caught:
        noxfile.windows(SimpleNamespace(skip=ends("skip"), error=ends("error")))
    assert caught.value.args == (how, "Wine is not installed")


@pytest.mark.parametrize(
    ("arguments", "native", "linux"),
    [
        ([], [()], [("tests/windows",)]),
        (["-k", "access"], [("-k", "access")], [("tests/windows", "-k", "access")]),
        (["-q", "tests/unit/cache"], [("-q", "tests/unit/cache")], []),
        (["tests/windows/test_serve.py"], [], [("tests/windows/test_serve.py",)]),
    ],
)
def test_arguments_reach_both_runs_of_windows_or_the_one_that_has_the_tests(
    noxfile, monkeypatch, arguments, native, linux
):
    ran = []
    with_wine(noxfile, monkeypatch)
    noxfile.windows(SimpleNamespace(posargs=arguments, run=lambda *words: ran.append(words[1:])))
    script, module = "tests/windows/run_native.py", ("-m", "pytest")
    assert [words[1:] for words in ran if words[0] == script] == native
    assert [words[2:] for words in ran if words[:2] == module] == linux


def with_wine(noxfile, monkeypatch):
    """Have all there that the part of Windows needs."""
    monkeypatch.setattr(noxfile.shutil, "which", lambda _: "wine")
    monkeypatch.setattr(noxfile, "current", lambda *_: contextlib.nullcontext(True))
    monkeypatch.setattr(noxfile, "oauth_server", lambda _: None)
    monkeypatch.setattr(noxfile, "COMPILED", ())


@pytest.mark.parametrize(
    ("arguments", "statuses", "fails"),
    [
        (["-k", "access"], [0, 5], None),
        (["-k", "access"], [5, 0], None),
        (["-k", "acess"], [5, 5], "no test was found"),
        (["-k", "acess", "tests/unit/cache"], [5], "no test was found"),
        (["tests/windows/test_serve.py", "-k", "x"], [5], "no test was found"),
        ([], [0, 5], "no test was found"),
        (["-k", "access"], [1], "status 1"),
        (["-k", "access"], [5, 1], "status 1"),
    ],
)
def test_runs_of_windows_that_find_no_test_fail_together(noxfile, monkeypatch, arguments, statuses, fails):
    with_wine(noxfile, monkeypatch)
    left = iter(statuses)

    def run(*_):
        if status := next(left):
            raise noxfile.CommandFailed(f"status {status}", return_code=status)

    def error(said):
        raise RuntimeError(said)

    session = SimpleNamespace(posargs=arguments, run=run, error=error)
    with contextlib.nullcontext() if fails is None else pytest.raises(Exception, match=fails):
        noxfile.windows(session)
    assert next(left, None) is None


def test_every_part_is_a_session(noxfile):
    command = [sys.executable, "-m", "nox", "--list", "-f", str(ROOT / "noxfile.py")]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    sessions = set(re.findall(r"^[*-] (\S+)", listed.stdout, re.MULTILINE))
    parts = {noxfile.FIRST, *noxfile.OTHERS}
    assert parts <= sessions
    assert sessions - parts == {
        "all", "bench", "bench-spark", "docs", "docs-pictures", "lock", "mutants",
    }  # fmt: skip


def test_every_folder_of_integration_tests_is_run_by_some_part():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    main = {Path(path).name for path in project["tool"]["pytest"]["ini_options"]["testpaths"]}
    named = set(re.findall(r"tests/integration/(\w+)", (ROOT / "noxfile.py").read_text(encoding="utf-8")))
    folders = {
        path.relative_to(ROOT / "tests/integration").parts[0]
        for path in (ROOT / "tests/integration").rglob("test_*.py")
    }
    assert folders
    assert folders - main - named - {"wheel"} == set()
