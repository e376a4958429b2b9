"""What depends on the operating system is written down, and the package's classifiers say what was run."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "src/lakekey"
PAGE = (ROOT / "docs/explanation/macos.md").read_text(encoding="utf-8")
RUN = (ROOT / "docs/explanation/guarantees.md").read_text(encoding="utf-8").partition("### Where this was run")[2]
SYSTEMS = {"Linux": "POSIX :: Linux", "Windows, by Wine": "Microsoft :: Windows", "macOS": "MacOS"}
DEPENDS = re.compile(
    r"""sys\.platform | os\.name\b | "/proc/ | SO_REUSEADDR | allow_reuse_address
    | (?:hasattr|getattr)\((?:os|signal), | ^\s*import\ (?:fcntl|pwd|grp|termios|msvcrt|winreg|ctypes|select)\b""",
    re.VERBOSE | re.MULTILINE,
)


def test_each_module_that_depends_on_the_system_stands_in_the_table_for_macos():
    depends = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if DEPENDS.search(path.read_text(encoding="utf-8"))
    }
    named = re.findall(
        r"`([\w/]+\.py)`", "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    )
    assert sorted(named) == sorted(depends)


def test_classifiers_name_the_systems_that_were_run():
    header, _, *lines = (line.strip("| ").split(" | ") for line in RUN.splitlines() if line.startswith("|"))
    assert header[1:] == list(SYSTEMS)
    run = {
        system
        for number, system in enumerate(header)
        if number and any(line[number].startswith("run") for line in lines)
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    begin = "Operating System :: "
    named = {each.removeprefix(begin) for each in project["classifiers"] if each.startswith(begin)}
    assert named == {SYSTEMS[system] for system in run}


def test_moments_are_made_in_one_module_as_windows_own_call_ends_at_the_year_3000():
    makes = [path for path in SOURCE.rglob("*.py") if "fromtimestamp(" in path.read_text(encoding="utf-8")]
    assert makes == []
