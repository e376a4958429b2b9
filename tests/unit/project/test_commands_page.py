"""docs/reference/commands.md has a section for each command; no page or hint names one, or an option, that is not there."""

import argparse
import ast
import re
import shlex
from pathlib import Path

import pytest

from lakekey.cli import _command_first
from lakekey.cli.arguments import parser_of
from lakekey.cli.commands import COMMANDS
from lakekey.cli.options import TARGET_OPTIONS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE))
SHOWN = [name for name, command in COMMANDS.items() if command.group]
OF_EVERY_COMMAND = {"--help", "--json", "--debug", "--profile"}
TARGET = {f"--{name.replace('_', '-')}" for name, _, _ in TARGET_OPTIONS}
TAKES_ITS_OWN = ("profiles", "import", "apps", "auth")  # for what else than a session to use
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"])
# What is said by a command, or stands in a file.
NO_COMMANDS = re.compile(r"lakekey (has a session|key id|entry v|ring v)")
_SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
# Where a command stands in a hint, and not the name of the product, and where it ends.
_OF_A_HINT = re.compile(
    r"(?:^|[;:,(] |\b(?:or|and|with|by|run) )lakekey ([a-z-][^;,:()]*?)(?= (?:or|and|says|removes)\b|[;,:()]|$)"
)
_LINE = re.compile(r"^(?:\$ )?(lakekey .+?)(?:\\\n(.+))?$", re.MULTILINE)


def actions_of(parser):
    """A parser's own arguments, and those of its actions."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from actions_of(below)


def words_of(command):
    """What a person may type behind a command: its options, and the words to choose from."""
    elsewhere = OF_EVERY_COMMAND | (set() if command in TAKES_ITS_OWN else TARGET)
    for action in actions_of(parser_of(command)):
        if action.help == argparse.SUPPRESS:
            continue
        options = {each for each in action.option_strings if each.startswith("--")}
        yield from options - elsewhere
        if action.choices is not None and not action.option_strings:
            yield from action.choices


@pytest.mark.parametrize("command", SHOWN)
def test_each_command_has_its_section_with_all_that_may_be_typed(command):
    spans = " ".join(_SPAN.findall(SECTIONS[f"`lakekey {command}`"]))
    assert [word for word in words_of(command) if not re.search(rf"(?<![\w-]){word}(?![\w-])", spans)] == []


def test_sections_are_in_the_order_of_the_help():
    groups = list(dict.fromkeys(COMMANDS[name].group for name in SHOWN))
    ordered = [name for group in groups for name in SHOWN if COMMANDS[name].group == group]
    assert [heading[9:-1] for heading in SECTIONS if heading.startswith("`lakekey ")] == ordered


def test_what_to_sign_in_to_has_its_rows():
    rows = re.findall(r"^\| `--([\w-]+) (\w+)` \|", SECTIONS["What to sign in to"], re.MULTILINE)
    assert rows == [(name.replace("_", "-"), metavar) for name, metavar, _ in TARGET_OPTIONS]


def commands_of(page):
    """The command lines of a page: in its text, and in its examples."""
    text = page.read_text(encoding="utf-8")
    fenced = "\n".join(re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    for found in _LINE.findall(fenced):
        yield " ".join(found)
    for span in _SPAN.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        if span.startswith("lakekey ") and not NO_COMMANDS.match(span):
            yield span.replace("\n", " ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_command_of_a_page_exists(page):
    lines = {line: shlex.split(re.split(r" [|&>#]", line)[0].removeprefix("lakekey ")) for line in commands_of(page)}
    assert [line for line, words in lines.items() if not exists(words)] == []


def exists(words):
    """Whether there is such a command, with all of the options that stand behind it."""
    words = words[: words.index("--")] if "--" in words else words
    command, *rest = _command_first(words)
    if command not in COMMANDS:
        return False
    known = {name for action in actions_of(parser_of(command)) for name in action.option_strings}
    return all(word.partition("=")[0] in known for word in rest if re.match(r"--?[a-z]", word))


def hints_of(path):
    """The texts of a module that are next steps; what is filled in stands there as ``X``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        steps = node.args if getattr(node.func, "id", "") == "print_step" else []
        for given in [*steps, *(each.value for each in node.keywords if each.arg == "hint")]:
            parts = [part for each in ast.walk(given) if isinstance(each, ast.JoinedStr) for part in each.values]
            for text in ast.walk(given):
                if isinstance(text, ast.JoinedStr):
                    yield "".join(part.value if isinstance(part, ast.Constant) else "X" for part in text.values)
                elif isinstance(text, ast.Constant) and isinstance(text.value, str) and text not in parts:
                    yield text.value


def test_each_command_of_a_hint_exists():
    found = [
        (path.name, line)
        for path in sorted((ROOT / "src").rglob("*.py"))
        for hint in hints_of(path)
        for line in _OF_A_HINT.findall(hint)
    ]
    assert len(found) > 30
    assert [each for each in found if not exists(each[1].split())] == []
