"""What the warehouse does not do (docs/guides/testing.md): an error that says so, or an answer that the page tells."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[4] / "docs/guides/testing.md").read_text(encoding="utf-8")
KNOWN_TO_DIFFER = re.findall(
    r"^\| `(.+)` \| `(.+)` \| .+ \|$", PAGE.partition("| expression | here |")[2], re.MULTILINE
)
NOT_THERE = [
    "explain select 1",
    "optimize t",
    "vacuum t",
    "analyze table t compute statistics",
    "cache table t",
    "copy into t from 's3://bucket'",
    "grant select on t to `ada`",
    "create volume main.default.v",
    "declare variable x int default 1",
    "execute immediate 'select 1'",
    "show create table t",
    "show grants on t",
    "show partitions t",
    "describe history t",
    "insert into t default values",
    "select * from t version as of 1",
    "select * from t timestamp as of '2024-01-01'",
    """select from_json('{"a": 1}', 'a int')""",
    "select * from t lateral view outer explode(array(id)) e as x",
]


@pytest.mark.parametrize(
    "change",
    ["drop primary key", "drop foreign key (id)", "drop primary key if exists", "change column id comment 'x'"],
)
def test_changes_of_a_table_that_are_not_parsed_say_so(ada, table, change):
    assert "[PARSE_SYNTAX_ERROR]" in ada.problem(f"alter table t {change}")


@pytest.mark.parametrize(("expression", "here"), KNOWN_TO_DIFFER)
def test_other_answers_than_those_of_databricks_are_as_the_page_says(ada, expression, here):
    assert ada.column(f"select cast({expression} as string)") == [here]


def test_page_lists_other_answers():
    assert len(KNOWN_TO_DIFFER) >= 9


@pytest.fixture
def table(ada):
    ada.run("create or replace table t (id int, v string)")
    ada.run("insert into t values (1, 'a')")


@pytest.mark.parametrize("statement", NOT_THERE)
def test_what_is_not_there_says_so(ada, table, statement):
    problem = ada.problem(statement)
    assert "[UNSUPPORTED_FEATURE] The sandbox's SQL warehouse does not support" in problem
    assert "SQLSTATE: 0A000" in problem


@pytest.mark.parametrize(
    "statement",
    [
        "select array(parse_json('1'))",
        "select named_struct('v', parse_json('1'))",
        "select map('k', array(parse_json('1')))",
        "select * from nested",
        "describe nested",
    ],
)
def test_variant_inside_another_type_is_refused_and_not_sent_as_bytes(ada, statement):
    ada.run("create or replace table nested (a array<variant>)")
    assert "a VARIANT inside an ARRAY, MAP or STRUCT" in ada.problem(statement)


def test_merge_of_several_rows_into_one_fails_as_on_databricks(ada, table):
    source = "(select * from values (1, 'x'), (1, 'y') as s(id, v)) s"
    problem = ada.problem(f"merge into t using {source} on t.id = s.id when matched then update set v = s.v")
    assert "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE" in problem
    assert "SQLSTATE: 21506" in problem


def test_merge_into_rows_of_another_transaction_fails_at_once(ada, client_of, table):
    bob = client_of("bob@example.com")
    merge = "merge into t using (select 1 as id, '{}' as v) s on t.id = s.id when matched then update set v = s.v"
    for client in (ada, bob):
        client.run("begin transaction")
    assert ada.problem(merge.format("A")) is None
    assert "DELTA_CONCURRENT_WRITE" in bob.problem(merge.format("B"))
    assert ada.problem("commit") is None
    bob.run("rollback")
    assert bob.column("select v from t") == ["A"]
