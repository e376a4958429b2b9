"""The commands and their options. Each command's own module is imported when it runs."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any


def build_parser(version: str) -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="lakekey",
        description="One sign-in for every Databricks connector on this machine.",
        epilog="Exit status: 0 done, 1 failed, 2 usage, 3 login needed.",
    )
    parser.add_argument("--version", action="version", version=f"lakekey {version}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    login = _command(
        commands, "login", "session:login", "sign in, in the browser or with the service principal's secret"
    )
    _add_target(login)
    login.add_argument("--switch", action="store_true", help="let somebody else than before take the session over")
    logout = _command(
        commands, "logout", "session:logout", "forget a session, for every process, and revoke it at the server"
    )
    _add_target(logout)
    token = _command(commands, "token", "session:token", "print an access token, renewed where needed")
    _add_target(token)
    status = _command(
        commands, "status", "status:status", "show who is signed in where, until when, and where it is kept"
    )
    _add_target(status)
    secret = _command(
        commands, "secret", "secret:secret", "keep an app's or service principal's secret sealed in the cache"
    )
    secret.add_argument("action", choices=("set", "remove", "list"), help="what to do; set asks without echo")
    _add_target(secret)

    keys = _command(commands, "keys", "keys:keys", "show the key that seals the cache, or rotate it")
    keys.add_argument("action", nargs="?", choices=("show", "rotate"), default="show", help="(default: show)")
    keys.add_argument(
        "--to",
        choices=("keyring", "file", "passphrase", "kms"),
        metavar="SOURCE",
        help="with rotate: move the key to keyring, file, passphrase or kms",
    )

    imports = _command(
        commands, "import", "importing.command:imports", "take over sessions that other tools keep in plain text"
    )
    imports.add_argument("profiles", nargs="*", metavar="PROFILE", help="(default: all profiles and hosts found)")
    imports.add_argument("--delete", action="store_true", help="delete what was taken over from the plain-text files")
    imports.add_argument("--config-file", metavar="FILE", help="the profiles (default: ~/.databrickscfg)")
    profiles = _command(commands, "profiles", "profiles:profiles", "list the profiles, and what each comes to")
    profiles.add_argument("--config-file", metavar="FILE", help="the profiles (default: ~/.databrickscfg)")
    doctor = _command(
        commands, "doctor", "doctor.command:doctor", "check the whole chain behind a profile, and say what to do"
    )
    _add_target(doctor)
    doctor.add_argument("--connect", action="store_true", help="also sign in, and try the warehouse or the cluster")

    serve = _command(
        commands, "serve", "serving.command:serve", "serve tokens to the Databricks SDKs of every language"
    )
    serve.add_argument("profiles", nargs="*", metavar="profile", help="whose tokens (default: the default chain)")
    serve.add_argument("--port", type=_port, default=0, help="the port on loopback (default: any free one)")
    serve.add_argument("--url-file", metavar="FILE", help="write the address there, readable for you only")
    serve.add_argument("--print-unit", action="store_true", help="print a unit file for systemd --user, and end")

    _add_what_sdks_call(commands)
    sandbox = _command(commands, "sandbox", "sandbox:sandbox", "run a local workspace to try things against")
    sandbox.add_argument("--port", type=_port, default=0, help="the port on loopback (default: any free one)")
    sandbox.add_argument(
        "--token-lifetime",
        type=_seconds,
        default=3600,
        metavar="SECONDS",
        help="how long access tokens live: 1 or more",
    )
    sandbox.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb", help="what runs the SQL")
    sandbox.add_argument("--directory", help="where to keep its certificate and secrets (default: a temporary one)")
    demo = _command(commands, "demo", "demo:demo", "see the main job, on a local workspace")
    demo.add_argument(
        "--browser",
        action=argparse.BooleanOptionalAction,
        help="sign in yourself, in your browser, or let a person be played (default: the former where you can)",
    )
    return parser


def _add_what_sdks_call(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    auth = commands.add_parser("auth", help="answer the SDKs as the Databricks CLI does (DATABRICKS_CLI_PATH)")
    auth_commands = auth.add_subparsers(metavar="COMMAND", required=True)
    auth_token = _command(auth_commands, "token", "serving.databricks_cli:auth_token", "print a token as JSON")
    auth_token.add_argument("--profile", "-p", help="a profile of .databrickscfg")
    auth_token.add_argument("--host", help="the workspace, or the accounts' host")
    auth_token.add_argument("--account-id", help="the account, beside its host")
    # The SDKs say these of hosts that serve workspaces and accounts alike; the host's own metadata says it, too.
    auth_token.add_argument("--workspace-id", help="the workspace, on a host of several")
    auth_token.add_argument("--experimental-is-unified-host", action="store_true", help="the host is such a one")
    auth_token.add_argument("--force-refresh", action="store_true", help="renew the token first")
    auth_token.add_argument("--output", "-o", choices=("json", "text"), default="json", help="always JSON")
    _command(
        auth_commands,
        "path",
        "serving.databricks_program:auth_path",
        "print the path of a program for DATABRICKS_CLI_PATH",
    )
    version_command = _command(commands, "version", "serving.databricks_cli:version", "print the version")
    version_command.add_argument("--output", "-o", choices=("json", "text"), default="text", help="the form")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, where: str, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_later(where))
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds: 1 or more")
    return int(text)


def _later(where: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = where.partition(":")

    def call(arguments: argparse.Namespace) -> int:
        status: int = getattr(import_module(f"lakekey.cli.{module}"), function)(arguments)
        return status

    return call


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile", nargs="?", help="a profile of .databrickscfg (default: the default chain)")
    for option, metavar, summary in (
        ("--host", "URL", "the workspace, where no profile names it"),
        ("--auth-type", "NAME", "external-browser or oauth-m2m"),
        ("--client-id", "ID", "the OAuth client"),
        ("--scopes", "LIST", "the scopes to ask for, separated by commas"),
        ("--user", "NAME", "who must sign in"),
        ("--account-id", "ID", "the account"),
        ("--ca-file", "FILE", "certificates to trust, in PEM form"),
        ("--config-file", "FILE", "the profiles (default: ~/.databrickscfg)"),
    ):
        parser.add_argument(option, metavar=metavar, help=summary)


def target_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings among a command's arguments, by the names that `lakekey.provider` takes."""
    names = ("host", "auth_type", "client_id", "scopes", "user", "account_id", "ca_file", "config_file")
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
