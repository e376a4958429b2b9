"""``lakekey completion SHELL``: the script for a shell; and what that script asks with each press of Tab.

The shells ask this program, which knows its commands and the profiles of today; a generated list would know neither. It
is a few lines for each shell, so no library is needed.
"""

import argparse
import os
from collections.abc import Sequence

from lakekey.cli.arguments import parser_of
from lakekey.cli.commands import COMMANDS
from lakekey.cli.output import print_json
from lakekey.configuration import databrickscfg
from lakekey.errors import LakekeyError

_SCRIPTS = {
    "bash": """\
# In ~/.bashrc: eval "$(lakekey completion bash)"
_lakekey() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        printf -v word %q "$word"
        COMPREPLY+=("$word")
    done < <(lakekey complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _lakekey lakekey
""",
    "zsh": """\
# In ~/.zshrc, after compinit: eval "$(lakekey completion zsh)"
_lakekey() {
    local -a found
    found=("${(@f)$(lakekey complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -- ${found:#}
}
compdef _lakekey lakekey
""",
    "fish": """\
# lakekey completion fish > ~/.config/fish/completions/lakekey.fish
complete -c lakekey -f -a '(lakekey complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
""",
    "powershell": """\
# In $PROFILE: lakekey completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName lakekey -ScriptBlock {
    param($word, $ast, $position)
    $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object {
        $quoted = $_ -is [System.Management.Automation.Language.StringConstantExpressionAst]
        if ($quoted) { $_.Value } else { $_.ToString() }
    })
    if (-not $word) { $words += '=' }
    lakekey complete @words 2>$null | ForEach-Object {
        $typed = if ($_ -match '^[\\w.:/@=+-]+$') { $_ } else { "'" + $_.Replace("'", "''") + "'" }
        [System.Management.Automation.CompletionResult]::new($typed, $_, 'ParameterValue', $_)
    }
}
""",
}
SHELLS = tuple(_SCRIPTS)


def completion(arguments: argparse.Namespace) -> int:
    """Print the script for a shell."""
    if arguments.json:
        print_json({"shell": arguments.shell, "script": _SCRIPTS[arguments.shell]})
    else:
        print(_SCRIPTS[arguments.shell], end="")
    return 0


def complete(arguments: argparse.Namespace) -> int:
    """Print what may stand in the place of the last word, one a line."""
    *before, current = arguments.words or [""]
    current = "" if current == "=" else current  # PowerShell hands over no empty word
    for word in candidates(before):
        if word.startswith(current) and (current.startswith("-") or not word.startswith("-")) and word.isprintable():
            print(word)  # a shell may show it to the terminal as it is
    return 0


def candidates(before: Sequence[str]) -> list[str]:
    """All that may follow some words of a command line."""
    if before and before[-1] in ("-p", "--profile"):
        return _profiles()
    words = [word for place, word in enumerate(before) if place == 0 or before[place - 1] not in ("-p", "--profile")]
    words = [word for word in words if not word.startswith("-")]
    if not words:
        return [name for name, each in COMMANDS.items() if each.group]
    if words[0] == "help":
        return [name for name, each in COMMANDS.items() if each.group]
    if words[0] not in COMMANDS:
        return []
    parser: argparse.ArgumentParser = parser_of(words[0])
    rest = words[1:]
    if (actions := _actions(parser)) is not None and rest and rest[0] in actions:
        parser, rest = actions[rest[0]], rest[1:]
    return [*_positionals(parser, len(rest)), *_options(parser)]


def _of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 - argparse names it nowhere else


def _actions(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser] | None:
    for action in _of(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse names it nowhere else
            return dict(action.choices)
    return None


def _positionals(parser: argparse.ArgumentParser, place: int) -> list[str]:
    """What the next word may be: one of an argument's choices, or a profile."""
    found = [action for action in _of(parser) if not action.option_strings]
    if not found:
        return []
    action = found[min(place, len(found) - 1)]
    if action.choices is not None:
        return list(action.choices)
    return _profiles() if "PROFILE" in str(action.metavar) or action.dest == "name" else []


def _options(parser: argparse.ArgumentParser) -> list[str]:
    shown = [action for action in _of(parser) if action.help != argparse.SUPPRESS]
    return [name for action in shown for name in action.option_strings if name.startswith("--")]


def _profiles() -> list[str]:
    try:
        found, _ = databrickscfg.profiles(os.environ.get("DATABRICKS_CONFIG_FILE", "").strip() or None)
    except LakekeyError:
        return []
    return [str(each.name) for each in found]
