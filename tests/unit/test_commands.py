"""Commands that hints name are those of the operating system that is here."""

import pytest

from lakekey import _commands

NAMED = {
    "linux": ("ls -ld /c", "mv /c /c.old", "df -h /c", "ss -ltnp 'sport >= :8020 and sport <= :8040'"),
    "darwin": ("ls -ld /c", "mv /c /c.old", "df -h /c", "lsof -nP -iTCP:8020-8040 -sTCP:LISTEN"),
    "win32": (
        'icacls "/c"', 'move "/c" "/c.old"', 'dir "/c"',
        "powershell Get-NetTCPConnection -State Listen -LocalPort (8020..8040)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("platform", NAMED)
def test_hint_names_a_command_of_this_system(monkeypatch, platform):
    monkeypatch.setattr(_commands.sys, "platform", platform)
    named = (
        _commands.look_at("/c"),
        _commands.move_away("/c"),
        _commands.room_of("/c"),
        _commands.listeners(8020, 8040),
    )
    assert named == NAMED[platform]
