"""JSON of others is read within bounds."""

import json
import time

import pytest

from lakekey import _json
from lakekey.errors import TokenEndpointError
from lakekey.oauth.token_response import parse
from lakekey.oauth.transport import Answer


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
