"""The table of rooms in docs/explanation/design.md has every module, in the order that the layers contract holds."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/explanation/design.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`.*?`) \|", PAGE.partition("## Layout")[2].partition("\n## ")[0], flags=re.MULTILINE)
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS = next(contract["layers"] for contract in CONTRACTS if contract["type"] == "layers")


def test_table_of_rooms_has_each_module_once():
    named = [name.rstrip("/") for row in ROWS for name in re.findall(r"`(\S+)`", row)]
    there = {path.stem for path in (ROOT / "src/lakekey").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert sorted(named) == sorted(there - {"__init__", "__main__", "__pycache__"})


def test_rows_of_the_table_of_rooms_are_in_the_order_of_the_contract():
    layer_of = {name.strip(): number for number, layer in enumerate(LAYERS) for name in layer.split("|")}
    rows = [[layer_of[name.rstrip("/")] for name in re.findall(r"`(\S+)`", row)] for row in ROWS]
    *rooms, foundation = rows
    assert [min(row) for row in rooms] == [max(row) for row in rooms] == sorted({min(row) for row in rooms})
    assert min(foundation) > max(map(max, rooms))


def test_each_file_that_the_page_names_is_there():
    named = set(re.findall(r"`((?:\w+/)*(?!test_)\w+\.py)`", PAGE))  # tests: test_sentences_of_pages.py
    assert len(named) > 30
    assert [
        name for name in sorted(named) if not any((top / name).is_file() for top in (ROOT / "src/lakekey", ROOT))
    ] == []


def test_hosted_sign_in_takes_from_the_rooms_of_a_persons_sign_in_what_the_page_says():
    (said,) = re.findall(r"\*\*`web/` takes two things from `login/`\*\*(.+?)\n- ", PAGE, re.DOTALL)
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/lakekey/web").glob("*.py"))
    taken = {
        inside or named
        for inside, named in re.findall(r"from lakekey\.login(?:\.(\w+) import|\s+import (\w+))", source)
    }
    assert taken == set(re.findall(r"`login/(\w+)\.py`", said)) == {"identity", "preflight"}


def test_generation_of_an_entry_is_counted_in_one_place():
    source = ROOT / "src/lakekey"
    counting = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"generation.*\+ 1", path.read_text(encoding="utf-8"))
    }
    assert counting == {"cache/writing.py"}
