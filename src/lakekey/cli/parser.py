"""A command's parser: its own usage for its own errors, an example in its help, and a near name for a slip."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

PROGRAM = "lakekey"
BY_ITSELF = "overview"  # the command that stands for none


class Parser(argparse.ArgumentParser):
    """The parser of one command.

    Args:
        command: Its name, as typed after ``lakekey``.
        summary: What it does, in a line.
        examples: Command lines, each with what it is for: ``("lakekey token prod", "print a token")``.
    """

    def __init__(self, command: str, summary: str, examples: Sequence[tuple[str, str]] = (), **settings: Any) -> None:
        settings.setdefault("prog", PROGRAM if command == BY_ITSELF else f"{PROGRAM} {command}")
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **settings,
        )
        self.command = command.removeprefix(BY_ITSELF)
        self._summary, self._examples = summary, examples

    def knows(self, option: str) -> bool:
        """Whether it has an option of that name."""
        return option in self._option_string_actions

    def format_usage(self) -> str:
        """The usage in a line: what must be given, and that there are options."""
        self.usage = self._short_usage()
        return super().format_usage()

    def format_help(self) -> str:
        """The whole help, in the terminal's width."""
        import textwrap

        self.usage = self._short_usage()
        self.description = textwrap.fill(f"{self._summary[0].upper()}{self._summary[1:]}.", columns())
        self.epilog = "\n".join(["Examples:", *listed(self._examples)]) if self._examples else None
        return super().format_help()

    def _short_usage(self) -> str:
        formatter = argparse.HelpFormatter(self.prog, width=1000)
        needed = [action for action in self._actions if action.required or not action.option_strings]
        formatter.add_usage(None, needed, [])
        words = formatter.format_help().strip().removeprefix(f"usage: {self.prog}")
        import textwrap

        usage = textwrap.fill(f"{self.prog} [options]{words}", columns() - 7, subsequent_indent=" " * 7)
        return usage.replace("%", "%%")

    def error(self, message: str) -> NoReturn:
        """Print the usage of this command and what is wrong; exit with status 2."""
        from lakekey.cli.output import print_error

        self.print_usage(sys.stderr)
        print_error(message, f"see: {PROGRAM} help {self.command}".rstrip())
        self.exit(2)

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments after the command's name.

        Raises:
            SystemExit: They are wrong (2), or ask for help (0). What there is to say is printed.
        """
        arguments, unknown = self.parse_known_args(argv)
        if unknown:
            parser: Parser = getattr(arguments, "parser", self)
            options = [name for name in parser._option_string_actions if len(name) > 2]
            parser.error(f"unknown argument {unknown[0]}{did_you_mean(unknown[0], options)}")
        profile = getattr(arguments, "profile_option", None)
        if profile is not None and isinstance(getattr(arguments, "profiles", None), list):
            arguments.profiles.append(profile)
        elif profile is not None:
            if getattr(arguments, "profile", None) not in (None, profile):
                self.error(f"two profiles are named, {arguments.profile} and {profile}")
            arguments.profile = profile
        if hasattr(arguments, "name_option"):
            self._settle_name(arguments)
        return arguments

    def _settle_name(self, arguments: argparse.Namespace) -> None:
        """Take the profile that an action changes from its word or from its option."""
        word, option = arguments.name, arguments.name_option
        if word and option and word != option:
            arguments.parser.error(f"two profiles are named, {word} and {option}")
        arguments.name = word or option
        if not arguments.name:
            arguments.parser.error("name the profile")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            near = did_you_mean(str(value), [str(choice) for choice in action.choices])
            known = ", ".join(map(str, action.choices))
            raise argparse.ArgumentError(action, f"{value!r} is not one of {known}{near}")


class ActionParser(Parser):
    """The parser of one of a command's own commands, such as ``profiles add``."""

    def __init__(self, **settings: Any) -> None:
        command = settings["prog"].removeprefix(f"{PROGRAM} ")
        super().__init__(command, settings.pop("summary"), settings.pop("examples", ()), **settings)


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """``; did you mean status?``, or nothing where no name is near."""
    from lakekey.configuration.suggestion import nearest

    near = nearest(word, names, at_least=0.6)
    return f"; did you mean {near}?" if near else ""


def listed(rows: Iterable[tuple[str, str]], *, beside: int | None = None) -> list[str]:
    """Names and what each is, in the terminal's width: beside each other, or below where there is no room for that.

    Args:
        rows: The names, which are never broken, and the sentences.
        beside: The width of the column of names; ``None`` for the longest of them.
    """
    import textwrap

    rows = list(rows)
    room, column = columns(), beside or max((len(name) for name, _ in rows), default=0)
    lines = []
    for name, what in rows:
        if column + 4 + min(len(what), 24) <= room:
            first, *rest = textwrap.wrap(what, room - column - 4) or [""]
            lines.append(f"  {name:<{column}}  {first}".rstrip())
            lines += [f"{'':<{column + 4}}{line}" for line in rest]
        else:
            lines += [f"  {name}", *(f"      {line}" for line in textwrap.wrap(what, max(20, room - 6)))]
    return lines


def columns() -> int:
    """The width of the terminal, or the usual one."""
    import shutil

    return max(20, shutil.get_terminal_size((80, 24)).columns)


def port(text: str) -> int:
    """A TCP port, or 0 for any free one."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return int(text)


def seconds(text: str) -> int:
    """A whole number of seconds, from 1."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds: 1 or more")
    return int(text)


def whole_number(text: str) -> int:
    """A whole number, from 1."""
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number: 1 or more")
    return int(text)
