"""Every folder of integration tests belongs to the main part, or to a part of its own that the Makefile runs."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_folder_of_integration_tests_is_run_by_some_part():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    main = {Path(path).name for path in project["tool"]["pytest"]["ini_options"]["testpaths"]}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "tests/integration").rglob("test_*.py")}
    tops = {"/".join(folder.split("/")[:3]) for folder in folders}
    assert tops
    assert [top for top in sorted(tops) if Path(top).name not in main and top not in makefile] == []
