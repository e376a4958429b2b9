"""Commands that hints name are those of the operating system that is here."""

import re
import shlex
from pathlib import Path

import pytest

from lakekey import _commands

NAMED = {
    "linux": ("ls -ld /c", "mv /c /c.old", "rm /c", "df -h /c", "ss -ltnp 'sport >= :8020 and sport <= :8040'"),
    "darwin": ("ls -ld /c", "mv /c /c.old", "rm /c", "df -h /c", "lsof -nP -iTCP:8020-8040 -sTCP:LISTEN"),
    "win32": (
        'icacls "/c"', 'move "/c" "/c.old"', 'del "/c"', 'dir "/c"',
        "powershell Get-NetTCPConnection -State Listen -LocalPort (8020..8040)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("platform", NAMED)
def test_hint_names_a_command_of_this_system(monkeypatch, platform):
    monkeypatch.setattr(_commands.sys, "platform", platform)
    named = (
        _commands.look_at("/c"),
        _commands.move_away("/c"),
        _commands.remove("/c"),
        _commands.free_space("/c"),
        _commands.listeners(8020, 8040),
    )
    assert named == NAMED[platform]


def test_store_of_this_machine_is_looked_at_by_the_doctor():
    assert [_commands.check_store(shared=shared) for shared in (True, False)] == [
        "lakekey store check",
        "lakekey doctor",
    ]


def test_path_is_one_word_of_each_command(monkeypatch):
    monkeypatch.setattr(_commands.sys, "platform", "darwin")
    path = "/Users/ada/Library/Application Support/lakekey"
    for command in (_commands.look_at, _commands.remove, _commands.free_space):
        assert shlex.split(command(path))[-1] == path
    assert shlex.split(_commands.move_away(path)) == ["mv", path, f"{path}.old"]


def test_no_hint_names_a_path_that_a_shell_would_take_apart():
    source = Path(_commands.__file__).parent
    programs = "chmod|chown|mv|rm|ls|df|namei|mkdir"
    bare = re.compile(
        rf"""f["'][^"']*\b(?:{programs})(?: -?[\w+-]+| \{{change\}}| \{{mode:o\}})* \{{(?!quoted|word|_word|_commands|commands\(\)|change|mode|os\.get|me\}})"""
    )
    found = [
        f"{path.relative_to(source)}: {match[0]}"
        for path in sorted(source.rglob("*.py"))
        for match in bare.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


WORDS = {
    "linux": {"prod": "prod", "my work": "'my work'", "-x": "--profile=-x", "--my work": "'--profile=--my work'"},
    "win32": {"prod": "prod", "my work": '"my work"', "-x": "--profile=-x", "R&D": '"R&D"'},
}


@pytest.mark.parametrize("platform", WORDS)
def test_profile_is_one_word_that_is_not_mistaken_for_an_option(monkeypatch, platform):
    monkeypatch.setattr(_commands.sys, "platform", platform)
    assert {name: _commands.profile(name) for name in WORDS[platform]} == WORDS[platform]
