"""docs/explanation/comparison.md: each answer has a source that is there, and the releases are the ones that this repository has."""

import re
from importlib import metadata, util
from pathlib import Path

import pytest

import lakekey

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs/explanation/comparison.md").read_text(encoding="utf-8")
DEFINITION = re.compile(r'^\[(\d+)\]: (\S+?)(?: "(.+)")?$', re.MULTILINE)
SOURCES = {label: (target, title) for label, target, title in DEFINITION.findall(TEXT)}
NO_ANSWER = ("not checked", "n/a")

# Where the releases are pinned that each column of the page names; botocore is read only, and pinned by its links.
PINS = {
    "SDK": "dev",
    "SQL connector": "dev",
    "dbt-databricks": "dbt",
    "Airflow provider": "airflow",
    "msal": "bench",
}
TAGS = {
    "databricks/databricks-sdk-py": ("SDK", "dbt-databricks"),
    "databricks/databricks-sql-python": ("SQL connector",),
    "databricks/dbt-databricks": ("dbt-databricks",),
    "apache/airflow": ("Airflow provider",),
    "AzureAD/microsoft-authentication-extensions-for-python": ("msal",),
    "AzureAD/microsoft-authentication-library-for-python": ("msal",),
    "boto/botocore": ("botocore",),
}
HERE = {  # the sources of peers that this environment has installed, at the release that the page names
    "https://github.com/databricks/databricks-sdk-py/blob/v0.162.0/databricks/sdk/": "databricks.sdk",
    "https://github.com/databricks/databricks-sql-python/blob/v4.9.0/src/databricks/sql/": "databricks.sql",
}


def tables():
    """The rows of each table of answers, with the table's heads."""
    for table in re.findall(r"^\| \| lakekey .*\n\|---.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE):
        yield [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]


ANSWERS = [(row[0], cell) for table in tables() for row in table for cell in row[1:]]


def releases():
    """Each column's releases, by package: ``{"SDK": {"databricks-sdk": "0.162.0"}, …}``."""
    rows = re.findall(r"^\| ([\w -]+) \| (.*?) \| .* \|$", TEXT.partition("## ")[0], re.MULTILINE)
    return {name: dict(re.findall(r"([a-z][a-z-]+) (\d+\.\d+\.\d+)", told)) for name, told in rows}


def test_the_tables_are_whole():
    assert {len(row) for table in tables() for row in table} == {9}
    assert len(list(tables())) == 4
    assert len(ANSWERS) > 250


@pytest.mark.parametrize(("question", "answer"), ANSWERS)
def test_each_answer_leads_to_its_source_or_says_that_there_is_none(question, answer):
    if answer not in NO_ANSWER:
        assert re.fullmatch(r"\[[^\]]+\]\[(\d+)\]", answer), question
        assert answer.rpartition("[")[2].rstrip("]") in SOURCES, question


def terminal_rows():
    """The rows of the table of commands, beside the tools of other services."""
    [table] = re.findall(r"^\| at the terminal \| lakekey .*\n\|---.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))] for row in table.splitlines()]


@pytest.mark.parametrize("row", terminal_rows(), ids=lambda row: row[0])
def test_each_command_beside_other_tools_leads_to_a_test_of_ours_and_to_documentation_of_theirs(row):
    question, ours, *theirs = row
    assert len(theirs) == 5
    target, title = SOURCES[re.fullmatch(r"\[.+\]\[(\d+)\]", ours)[1]]
    assert target.startswith("../../tests/"), question
    assert title.startswith("test_"), question
    for cell in theirs:
        if cell not in NO_ANSWER:
            target, title = SOURCES[re.fullmatch(r"\[.+\]\[(\d+)\]", cell)[1]]
            assert target.startswith("https://"), (question, cell)
            assert title, (question, cell)
    assert any(cell not in NO_ANSWER for cell in theirs), question


def test_no_source_is_left_over():
    assert set(SOURCES) == set(re.findall(r"\]\[(\d+)\]", TEXT))


def test_lakekeys_own_answers_all_lead_into_this_repository():
    for table in tables():
        for row in table:
            target, _ = SOURCES[row[1].rpartition("[")[2].rstrip("]")]
            assert not target.startswith("http"), row[0]


@pytest.mark.parametrize(
    ("target", "title"), [source for source in SOURCES.values() if not source[0].startswith("http")]
)
def test_what_an_answer_names_in_this_repository_is_there(target, title):
    source = (ROOT / "docs" / "explanation" / target).read_text(encoding="utf-8")
    if title.startswith("test_"):
        assert re.search(rf"^(async )?def {title}\(", source, re.MULTILINE)
    else:
        assert title in source


def inside(target):
    return next((prefix for prefix in HERE if target.startswith(prefix)), None)


@pytest.mark.parametrize(("target", "title"), [source for source in SOURCES.values() if inside(source[0])])
def test_what_an_answer_names_in_a_peers_source_is_there(target, title):
    prefix = inside(target)
    [package] = util.find_spec(HERE[prefix]).submodule_search_locations
    source = Path(package, target.removeprefix(prefix)).read_text(encoding="utf-8")
    for name in re.findall(r"[\w.]+", title):
        assert re.search(rf"\b{name.rpartition('.')[2]}\b", source), name


def test_the_releases_are_those_that_are_pinned():
    told = releases()
    assert told["lakekey"] == {"lakekey": lakekey.__version__}
    assert set(told) >= {*PINS, "botocore"}
    for column, pins in PINS.items():
        pinned = (ROOT / "requirements" / f"{pins}.txt").read_text(encoding="utf-8")
        assert told[column], column
        for name, release in told[column].items():
            assert f"\n{name}=={release} " in f"\n{pinned}", (column, name)


@pytest.mark.parametrize(
    ("column", "package"), [("SDK", "databricks-sdk"), ("SQL connector", "databricks-sql-connector")]
)
def test_the_peers_that_the_tests_run_are_the_named_releases(column, package):
    assert releases()[column][package] == metadata.version(package)


def test_each_source_of_a_peer_is_taken_from_a_named_release():
    told = releases()
    for target, _ in SOURCES.values():
        blob = re.match(r"https://github\.com/([\w-]+/[\w-]+)/blob/(?:providers-databricks/)?v?([^/]+)/", target)
        if blob:
            repository, tag = blob.groups()
            assert tag in {release for column in TAGS[repository] for release in told[column].values()}, target
    assert "/blob/main/" not in TEXT
    assert "github.com/databricks/cli/blob" not in TEXT  # its licence: threads and documentation only


def test_the_times_are_those_of_the_performance_page():
    (row,) = (row for table in tables() for row in table if row[0].startswith("A new process to its first header"))
    measured = (ROOT / "docs/explanation/performance.md").read_text(encoding="utf-8")
    times = re.findall(r"\[([\d.]+ m?s)\]", " ".join(row))
    assert len(times) == 4
    for line, time in zip(("a new process to its first header, warm cache, key file", "databricks-sdk: the same, warm external-browser", "databricks-sql-connector: the same", "msal with msal-extensions: the same"), times, strict=True):  # fmt: skip
        assert f"| {line} | {time} |" in measured


def test_links_within_the_page_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        path, _, anchor = target.partition("#")
        linked = (ROOT / "docs" / "explanation" / path).resolve()
        assert linked.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}, target
