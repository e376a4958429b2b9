"""A command's parser: its own usage for its own errors, an example in its help, and a near name for a slip."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

PROGRAM = "lakekey"


class Parser(argparse.ArgumentParser):
    """The parser of one command.

    Args:
        command: Its name, as typed after ``lakekey``.
        summary: What it does, in a line.
        examples: Command lines, each with what it is for: ``("lakekey token prod", "print a token")``.
    """

    def __init__(self, command: str, summary: str, examples: Sequence[tuple[str, str]] = (), **settings: Any) -> None:
        settings.setdefault("prog", f"{PROGRAM} {command}")
        settings.setdefault("description", f"{summary[0].upper()}{summary[1:]}.")
        super().__init__(
            epilog=_examples(examples) or None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **settings,
        )
        self.command = command

    def format_usage(self) -> str:
        """The usage in a line: what must be given, and that there are options."""
        self.usage = self._short_usage()
        return super().format_usage()

    def format_help(self) -> str:
        """The whole help."""
        self.usage = self._short_usage()
        return super().format_help()

    def _short_usage(self) -> str:
        formatter = argparse.HelpFormatter(self.prog, width=1000)
        needed = [action for action in self._actions if action.required or not action.option_strings]
        formatter.add_usage(None, needed, [])
        words = formatter.format_help().strip().removeprefix(f"usage: {self.prog}")
        return f"{self.prog} [options]{words}".replace("%", "%%")

    def error(self, message: str) -> NoReturn:
        """Print the usage of this command and what is wrong; exit with status 2."""
        self.exit(2, f"{self.format_usage()}{PROGRAM}: {message}\n  → see: {PROGRAM} help {self.command}\n")

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
        return arguments

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
    near = nearest(word, names)
    return f"; did you mean {near}?" if near else ""


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that a slip of the pen most likely means."""
    import difflib

    found = difflib.get_close_matches(word.lower(), {name.lower(): name for name in names}, n=1, cutoff=0.6)
    return next((name for name in names if found and name.lower() == found[0]), None)


def _examples(examples: Sequence[tuple[str, str]]) -> str:
    if not examples:
        return ""
    width = max(len(line) for line, _ in examples)
    return "Examples:\n" + "\n".join(f"  {line:<{width}}  {what}".rstrip() for line, what in examples)


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
