"""JSON of others is read within bounds."""

import ast
import json
import time
from pathlib import Path

import pytest

from lakekey import _json
from lakekey.cli.api import _body
from lakekey.errors import ConfigurationError, TokenEndpointError
from lakekey.oauth.answer import Answer
from lakekey.oauth.token_response import parse


@pytest.mark.parametrize(
    "text", ["{}", '{"a": "[[{{\\"[", "b": ["}"]}', b'\xef\xbb\xbf{"a": 1}', '{"a": 1}'.encode("utf-16"), "7", '"\\\\"']
)
def test_json_is_read_as_the_library_reads_it(text):
    assert _json.loads(text) == json.loads(text)


@pytest.mark.parametrize("open_, close", [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded(open_, close):
    def nested(depth):
        return open_ * depth + "1" + close * depth

    assert _json.loads(nested(_json.DEEPEST))
    for depth in (_json.DEEPEST + 1, 900, 100_000):
        with pytest.raises(ValueError, match="too deep"):
            _json.loads(nested(depth))


def test_many_lists_beside_one_another_are_not_deep():
    assert _json.loads("[" + "[]," * 500 + "{}]") == [*([[]] * 500), {}]
    assert _json.loads("[" * _json.DEEPEST + "]" * (_json.DEEPEST - 1) + ", []]")


def test_flaw_in_a_string_is_put_up_with_where_that_is_asked_for():
    assert _json.loads(b'{"name": "Zo\xeb\n"} and more', lenient=True) == {"name": "Zo\udceb\n"}
    with pytest.raises(ValueError):
        _json.loads(b'{"name": "Zo\xeb"}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        '"' * 99_999,
        '"\\' * 50_000,
        '"' + "\\" * 99_999,
        "1" * 5000,
        b"\xff\xfe{",
        " " * (_json.LONGEST + 1),
    ],
)
def test_what_is_not_json_is_a_value_error_in_no_time(text):
    began = time.process_time()
    with pytest.raises(ValueError):
        _json.loads(text)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("depth", [60, 900, 100_000])
def test_nested_error_of_a_server_is_an_error_of_ours(depth):
    body = b'{"error": ' + b"[" * depth + b"]" * depth + b"}"
    for status in (200, 400):
        with pytest.raises(TokenEndpointError):
            parse(Answer(status, "application/json", body, None))


def readers():
    """Where the package reads JSON by anything but `_json.loads`: the calls, as they are written."""
    source = Path(_json.__file__).parent
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                read = ast.unparse(node.func)
                if read in ("json.load", "json.loads") or (node.func.attr == "json" and not node.args):
                    yield f"{path.relative_to(source).as_posix()}: {ast.unparse(node)}"


def test_json_of_others_is_read_within_bounds_everywhere():
    assert sorted(readers()) == [
        "_json.py: json.loads(text)",
        "cli/web.py: json.loads(os.environ[SETTINGS])",  # our own process wrote it
        "login/preflight.py: json.loads(string)",  # one string, with nothing nested in it
    ]


@pytest.mark.parametrize("text", ['{"a":' * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000])
def test_command_is_given_a_deep_document_and_ends_with_an_error_of_ours(text):
    with pytest.raises(ConfigurationError, match="--data is not JSON"):
        _body(text)
