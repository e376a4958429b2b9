"""No regular expression of ours takes more than linear time, whatever it is given."""

import ast
import re
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = (ROOT / "src", *sorted(ROOT.glob("packages/*/src")))
FUNCTIONS = ("compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
LENGTH = 16_000  # at which the bad ones are found out that are the quickest
NOTICED = 0.05  # seconds; what takes less is not looked at twice
PIECES = (
    *"aZ0 \t\n\r\"'\\/<>=:;,.-_*&%#?@![](){}$^|~\x00\u20ac",
    "\\a", '\\"', "://", "a=", "<a", "</", "<script", "<script ", "--", "/*", "*/", "/**/", " \n", "\n ", "\\\\",
    "error", "redirect", "redirect_", "AADSTS", "scope", "client_", "-bin", "a-b", "\\u", "%25", "&#", "1-", "[a", '""',
)  # fmt: skip


def patterns():
    """Each pattern that is written down in a package, with where and its flags."""
    for path in sorted(path for source in SOURCES for path in source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and isinstance(node.func.value, ast.Name) and node.func.value.id == "re":
                if node.func.attr not in (*FUNCTIONS, "escape"):
                    raise AssertionError(f"{path}:{node.lineno}: re.{node.func.attr}")
                if node.func.attr in FUNCTIONS:
                    yield path.relative_to(ROOT), node


def text_of(node):
    """A pattern as it is written; one that is put together at run time would need a test of its own."""
    try:
        value = ast.literal_eval(node.args[0])
    except ValueError:
        raise AssertionError(
            f"line {node.lineno}: {ast.unparse(node)}: the pattern is not written as one text"
        ) from None
    return value.decode("latin-1") if isinstance(value, bytes) else value


def flags_of(node):
    named = [ast.unparse(each.value) for each in node.keywords if each.arg == "flags"]
    named += [ast.unparse(each) for each in node.args[1:] if ast.unparse(each).startswith("re.")]
    return eval("|".join(named) or "0", {"re": re})


def beginnings(pattern):
    """What the pattern may begin with, so that its later parts are reached: its words, as they stand."""
    return ["", *re.findall(r"[\w \"'<:/=-]{2,}", pattern)[:3]]


def seconds(work, text):
    began = time.process_time()
    work(text)
    return time.process_time() - began


def is_slow(work, begin, piece, end, longest=LENGTH):
    """Whether four times the length takes much more than four times as long."""
    short, long = (begin + piece * (length // len(piece)) + end for length in (longest // 4, longest))
    took = seconds(work, long)
    return took > NOTICED and took > 8 * min(seconds(work, short) for _ in range(3))


def uses(compiled, function):
    """What the code does with the pattern; with one that is compiled, anything."""
    if function == "compile":
        return [compiled.search, compiled.fullmatch, lambda text: compiled.sub("", text)]
    return [(lambda text: compiled.sub("", text)) if "sub" in function else getattr(compiled, function)]


FOUND = list(patterns())


@pytest.mark.parametrize(("path", "node"), FOUND, ids=[f"{path}:{text_of(node)}"[:70] for path, node in FOUND])
def test_pattern_takes_linear_time(path, node):
    pattern = text_of(node)
    for work in uses(re.compile(pattern, flags_of(node)), node.func.attr):
        for begin in beginnings(pattern):
            for piece in PIECES:
                for end in ("", "\x01"):
                    assert not is_slow(work, begin, piece, end), (str(path), pattern, begin, piece)


def test_patterns_are_found():
    assert len(FOUND) > 15


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        (r"<[^>]*>", LENGTH),
        (r"\s*[^=:]*[=:]", LENGTH // 2),
        (r"(a|b)*c", LENGTH // 2),
        (r"<script.*?</script>", LENGTH),
    ],
)
def test_quadratic_pattern_is_found_out(pattern, length):
    search = re.compile(pattern).search
    assert any(is_slow(search, "", piece, "", length) for piece in PIECES)
