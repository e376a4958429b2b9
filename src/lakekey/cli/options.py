"""The options of each command: one function a command, which adds them to its parser."""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from lakekey.cli.parser import ActionParser, Parser, port, seconds, whole_number

# Options that say what to sign in to where no profile does; the names are those that `lakekey.provider` takes.
TARGET_OPTIONS = (
    ("host", "URL", "the workspace's address"),
    ("user", "NAME", "the person who must sign in; keeps two people on one workspace apart"),
    ("auth_type", "NAME", "external-browser or oauth-m2m"),
    ("client_id", "ID", "the OAuth client"),
    ("scopes", "LIST", "the scopes to ask for, separated by commas"),
    ("account_id", "ID", "the account"),
    ("ca_file", "FILE", "certificates to trust, in PEM form"),
    ("config_file", "FILE", "the profiles (default: ~/.databrickscfg)"),
)
_USUAL = ("host", "user")


def later(where: str) -> Callable[[argparse.Namespace], int]:
    """A function, as ``module:function`` below `lakekey.cli`, whose module is imported when it is called."""
    module, _, function = where.partition(":")

    def call(arguments: argparse.Namespace) -> int:
        status: int = getattr(import_module(f"lakekey.cli.{module}"), function)(arguments)
        return status

    return call


def common(parser: argparse.ArgumentParser, *, default: Any = False) -> None:
    """What every command takes."""
    parser.add_argument("--json", action="store_true", default=default, help="print JSON")
    debug = "report files, hosts and requests on standard error"
    parser.add_argument("-v", "--debug", action="store_true", default=default, help=debug)
    parser.add_argument("--verbose", dest="debug", action="store_true", default=default, help=argparse.SUPPRESS)


def _profile(parser: Parser, *, many: bool = False, which: str = "(default: the default chain)") -> None:
    if many:
        parser.add_argument("profiles", nargs="*", metavar="PROFILE", help=which)
    else:
        parser.add_argument("profile", nargs="?", metavar="PROFILE", help=f"a profile of .databrickscfg {which}")
    parser.add_argument("-p", "--profile", dest="profile_option", metavar="PROFILE", help="the same, as an option")


def _settings(parser: Parser, *, all_shown: bool = False) -> None:
    """What to sign in to. Commands that only use a session take all of it, and show what is used most."""
    rare = parser.add_argument_group("without a profile") if all_shown else parser
    for name, metavar, summary in TARGET_OPTIONS:
        usual = name in _USUAL
        place = parser if usual else rare
        shown = summary if usual or all_shown else argparse.SUPPRESS
        place.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=shown)


def session(parser: Parser) -> None:
    """What most commands take: a profile, or what to sign in to without one."""
    _profile(parser)
    _settings(parser)


def status(parser: Parser) -> None:
    """``lakekey status``."""
    session(parser)
    parser.add_argument(
        "--limit", type=whole_number, metavar="NUMBER", help="at most this many (default: 200; JSON: all)"
    )
    parser.add_argument("--after", metavar="ENTRY", help="start after this one")


def login(parser: Parser) -> None:
    """``lakekey login``."""
    _profile(parser, which="(new with --host: it is written)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    way.add_argument("--paste", action="store_true", help="print the address, and paste the answer here")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="how long to wait for you (default: 120)")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--if-needed", action="store_true", help="sign in only if there is no session")
    when.add_argument("--check", action="store_true", help="only check: exit status 0 signed in, 3 login needed")
    parser.add_argument("--switch", action="store_true", help="let another person take over the session")
    parser.add_argument("--no-save", action="store_true", help="with --host: write no profile")
    _settings(parser, all_shown=True)


def logout(parser: Parser) -> None:
    """``lakekey logout``."""
    parser.add_argument("profile", nargs="?", metavar="PROFILE|ENTRY", help="a profile, or an entry that status shows")
    parser.add_argument("-p", "--profile", dest="profile_option", metavar="PROFILE", help="the same, as an option")
    parser.add_argument("--all", action="store_true", help="every session of this cache")
    parser.add_argument("--forget-key", action="store_true", help="with --all: remove the key that sealed them, too")
    _settings(parser)


def doctor(parser: Parser) -> None:
    """``lakekey doctor``."""
    session(parser)
    parser.add_argument("--connect", action="store_true", help="also sign in, and try the warehouse or the cluster")


def config_file(parser: argparse.ArgumentParser, *, default: Any = None) -> None:
    """Which file has the profiles."""
    summary = "the profiles (default: ~/.databrickscfg)"
    parser.add_argument("--config-file", metavar="FILE", default=default, help=summary)


def action(
    actions: Any,
    command: str,
    summary: str,
    examples: Sequence[tuple[str, str]] = (),
    *,
    takes_profile: bool = False,
) -> argparse.ArgumentParser:
    """The parser of a command below a command, such as ``profiles add``.

    Args:
        actions: What `argparse` returned for the actions of the command.
        command: The words of both.
        summary: What it does, in a line.
        examples: Lines to type, and what each does.
        takes_profile: Whether the caller adds ``--profile``. Elsewhere the option is taken, and changes nothing.
    """
    name = command.rpartition(" ")[2]
    parser: argparse.ArgumentParser = actions.add_parser(
        name, prog=f"lakekey {command}", help=summary, summary=summary, examples=examples
    )
    parser.set_defaults(parser=parser)
    common(parser, default=argparse.SUPPRESS)  # so that what stands before the action counts, too
    if not takes_profile:
        parser.add_argument("-p", "--profile", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def secret(parser: Parser) -> None:
    """``lakekey secret``."""
    parser.add_argument("action", choices=("set", "remove", "list"), help="what to do; set asks without echo")
    parser.add_argument("--check", action="store_true", help="with set: try the secret of a service principal at once")
    session(parser)


def keys(parser: Parser) -> None:
    """``lakekey keys``."""
    parser.add_argument("action", nargs="?", choices=("show", "rotate"), default="show", help="(default: show)")
    sources = ("keyring", "file", "passphrase", "kms")
    parser.add_argument("--to", choices=sources, metavar="SOURCE", help=f"with rotate: {', '.join(sources)}")
    parser.add_argument("-p", "--profile", metavar="PROFILE", help="the profile whose store it is (default: this one)")


def store(parser: Parser) -> None:
    """``lakekey store``."""
    parser.add_argument("action", choices=("init", "check", "copy"), help="what to do")
    parser.add_argument("place", nargs="*", metavar="STORE", help="(default: LAKEKEY_STORE); copy takes FROM and TO")
    parser.add_argument("--sql", action="store_true", help="with init: print the statements for an administrator")
    parser.add_argument("-p", "--profile", metavar="PROFILE", help="the profile whose store it is (default: this one)")


def import_(parser: Parser) -> None:
    """``lakekey import``."""
    _profile(parser, many=True, which="(default: all profiles and hosts found)")
    parser.add_argument("--delete", action="store_true", help="delete the imported tokens from the plain-text files")
    config_file(parser)


def serve(parser: Parser) -> None:
    """``lakekey serve``."""
    _profile(parser, many=True, which="whose tokens (default: the default chain)")
    parser.add_argument("--port", type=port, default=0, help="the port on loopback (default: any free one)")
    parser.add_argument("--url-file", metavar="FILE", help="write the address to this file, which only you can read")
    parser.add_argument("--print-unit", action="store_true", help="print a unit file for systemd --user, and end")


def keep_alive(parser: Parser) -> None:
    """``lakekey keep-alive``."""
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", help="profiles, or entries (default: all sessions)")
    parser.add_argument("-p", "--profile", dest="profile_option", metavar="PROFILE", help="the same, as an option")
    parser.add_argument("--once", action="store_true", help="make one round and end, for a timer")
    every = "between two rounds (default: 3600)"
    parser.add_argument("--every", type=seconds, default=3600, metavar="SECONDS", help=every)
    parser.add_argument("--rate", type=whole_number, default=60, metavar="N", help="renewals a minute (default: 60)")
    warn = "report a session this long before its end (default: 3)"
    parser.add_argument("--warn-days", type=whole_number, default=3, metavar="DAYS", help=warn)
    parser.add_argument("--print-unit", action="store_true", help="print a service and a timer for systemd, and end")


def auth(parser: Parser) -> None:
    """``lakekey auth``."""
    actions = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=ActionParser)
    example = ("lakekey auth token -p prod", "")
    token = action(actions, "auth token", "print a token as JSON", (example,), takes_profile=True)
    token.add_argument("--profile", "-p", help="a profile of .databrickscfg")
    token.add_argument("--host", help="the workspace, or the accounts' host")
    token.add_argument("--account-id", help="the account, together with its host")
    # The SDKs say these of hosts that serve workspaces and accounts alike; the host's own metadata says it, too.
    token.add_argument("--workspace-id", help="the workspace, on a host that serves several")
    token.add_argument("--experimental-is-unified-host", action="store_true", help="the host is a unified one")
    token.add_argument("--force-refresh", action="store_true", help="renew the token first")
    token.add_argument("--output", "-o", choices=("json", "text"), default="json", help="always JSON")
    token.set_defaults(run=later("serving.databricks_cli:auth_token"))
    path = action(
        actions,
        "auth path",
        "print the path of a program for DATABRICKS_CLI_PATH",
        (('export DATABRICKS_CLI_PATH="$(lakekey auth path)"', ""),),
    )
    path.set_defaults(run=later("serving.databricks_program:auth_path"))


def env(parser: Parser) -> None:
    """``lakekey env``."""
    _profile(parser)
    parser.add_argument("--token", action="store_true", help="an access token, for tools that accept nothing else")
    parser.add_argument(
        "--shell", choices=("sh", "fish", "powershell", "cmd"), help="whose syntax (default: sh; powershell on Windows)"
    )


def run(parser: Parser) -> None:
    """``lakekey run``."""
    _profile(parser)
    parser.add_argument("--token", action="store_true", help="pass an access token, for tools that accept nothing else")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND …", help="the command and its arguments")


def api(parser: Parser) -> None:
    """``lakekey api``."""
    methods = ("get", "post", "put", "patch", "delete")
    parser.add_argument("method", choices=methods, type=str.lower, metavar="METHOD", help=", ".join(methods))
    parser.add_argument("path", metavar="PATH", help="such as /api/2.0/preview/scim/v2/Me")
    parser.add_argument("--data", metavar="JSON", help="the document to send; @FILE or - for standard input")
    parser.add_argument("-p", "--profile", metavar="PROFILE", help="a profile of .databrickscfg")
    _settings(parser)


def sql(parser: Parser) -> None:
    """``lakekey sql``."""
    parser.add_argument("statement", metavar="STATEMENT", help="one SQL statement, or - for standard input")
    parser.add_argument("-p", "--profile", metavar="PROFILE", help="a profile of .databrickscfg")
    parser.add_argument("--warehouse", metavar="ID", help="the warehouse, if the profile names none")
    parser.add_argument("--limit", type=whole_number, default=1000, metavar="ROWS", help="rows to show (default: 1000)")
    _settings(parser)


def version(parser: Parser) -> None:
    """``lakekey version``."""
    parser.add_argument("--output", "-o", choices=("json", "text"), default="text", help="the form")


def sandbox(parser: Parser) -> None:
    """``lakekey sandbox``."""
    parser.add_argument("--port", type=port, default=0, help="the port on loopback (default: any free one)")
    lives = "how long access tokens live (default: 3600)"
    parser.add_argument("--token-lifetime", type=seconds, default=3600, metavar="SECONDS", help=lives)
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb", help="the engine that runs the SQL")
    parser.add_argument("--directory", help="where to keep its certificate and secrets (default: a temporary one)")
    parser.add_argument(
        "program", nargs="*", metavar="-- COMMAND", help="a command to run with it; the sandbox ends with the command"
    )


def demo(parser: Parser) -> None:
    """``lakekey demo``."""
    parser.add_argument(
        "--browser",
        action=argparse.BooleanOptionalAction,
        help="sign in yourself, or have a person simulated (default: yourself, if there is a browser)",
    )
    parser.add_argument("--web", action="store_true", help="hosted sign-in: a service with two users, two workspaces")


def completion(parser: Parser) -> None:
    """``lakekey completion``."""
    shells = ("bash", "zsh", "fish", "powershell")
    parser.add_argument("shell", choices=shells, metavar="SHELL", help=", ".join(shells))


def complete(parser: Parser) -> None:
    """``lakekey complete``."""
    parser.add_argument("words", nargs="*", help="the words typed so far; the last one is completed")


def help_(parser: Parser) -> None:
    """``lakekey help``."""
    parser.add_argument("topic", nargs="*", metavar="COMMAND", help="the command to explain")
