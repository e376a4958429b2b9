"""The commands and their options. Only the command that is run builds its parser and imports its module."""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from lakekey.cli.parser import ActionParser, Parser, port, seconds, whole_number

SIGN_IN, USE, CONFIGURE, OTHERS, TRY = "Sign in", "Use a session", "Configure and check", "Other programs", "Try it"

# Options that say what to sign in to where no profile does; the names are those that `lakekey.provider` takes.
_TARGET_OPTIONS = (
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


class Command(NamedTuple):
    """A command.

    Attributes:
        run: Its function, as ``module:function`` below `lakekey.cli`.
        summary: What it does, in a line.
        group: The heading that it stands under in the help; empty for what only programs call.
        options: Adds its options.
        examples: Command lines, each with what it is for.
    """

    run: str
    summary: str
    group: str
    options: Callable[[Parser], object] = lambda _: None
    examples: tuple[tuple[str, str], ...] = ()


def parser_of(name: str) -> Parser:
    """The parser of one command."""
    command = COMMANDS[name]
    parser = Parser(name, command.summary, command.examples)
    parser.set_defaults(run=_later(command.run), command=name)
    _common(parser)
    command.options(parser)
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse a command line whose first word is a command.

    Raises:
        SystemExit: It is wrong (2), or asks for help (0). What there is to say is printed.
    """
    rest = list(argv[1:])
    words: list[str] = []
    if argv[0] == "complete":  # whatever is typed is data here
        return argparse.Namespace(
            run=_later(COMMANDS["complete"].run), words=rest, json=False, debug=False, command="complete"
        )
    if argv[0] == "run" and "--" in rest:  # what follows is the command's own, its options included
        place = rest.index("--")
        rest, words = rest[:place], rest[place + 1 :]
    arguments = parser_of(argv[0]).parse(rest)
    if argv[0] == "run":
        if arguments.words:
            parser_of("run").error(f"put -- before the command: lakekey run PROFILE -- {' '.join(arguments.words)}")
        arguments.words = words
    return arguments


def target_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings among a command's arguments, by the names that `lakekey.provider` takes."""
    named = {name: getattr(arguments, name, None) for name, _, _ in _TARGET_OPTIONS}
    return {name: value for name, value in named.items() if value is not None}


def _later(where: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = where.partition(":")

    def call(arguments: argparse.Namespace) -> int:
        status: int = getattr(import_module(f"lakekey.cli.{module}"), function)(arguments)
        return status

    return call


# -- options ------------------------------------------------------------------------------------------------------


def _common(parser: argparse.ArgumentParser, *, default: Any = False) -> None:
    parser.add_argument("--json", action="store_true", default=default, help="print JSON")
    debug = "report files, hosts and requests on standard error"
    parser.add_argument("--debug", action="store_true", default=default, help=debug)


def _profile(parser: Parser, *, many: bool = False, which: str = "(default: the default chain)") -> None:
    if many:
        parser.add_argument("profiles", nargs="*", metavar="PROFILE", help=which)
    else:
        parser.add_argument("profile", nargs="?", metavar="PROFILE", help=f"a profile of .databrickscfg {which}")
    parser.add_argument("-p", "--profile", dest="profile_option", metavar="PROFILE", help="the same, as an option")


def _settings(parser: Parser, *, all_shown: bool = False) -> None:
    """What to sign in to. Commands that only use a session take all of it, and show what is used most."""
    rare = parser.add_argument_group("what to sign in to, where no profile says it") if all_shown else parser
    for name, metavar, summary in _TARGET_OPTIONS:
        usual = name in _USUAL
        place = parser if usual else rare
        shown = summary if usual or all_shown else argparse.SUPPRESS
        place.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=shown)


def _session(parser: Parser) -> None:
    _profile(parser)
    _settings(parser)


def _login(parser: Parser) -> None:
    _profile(parser, which="(new with --host: it is written)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    way.add_argument("--paste", action="store_true", help="print the address, and paste the answer here")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="how long to wait for you (default: 120)")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--if-needed", action="store_true", help="sign in only where there is no session")
    when.add_argument("--check", action="store_true", help="only look: exit status 0 signed in, 3 login needed")
    parser.add_argument("--switch", action="store_true", help="let another person take the session over")
    parser.add_argument("--no-save", action="store_true", help="with --host: write no profile")
    _settings(parser, all_shown=True)


def _logout(parser: Parser) -> None:
    parser.add_argument("profile", nargs="?", metavar="PROFILE|ENTRY", help="a profile, or an entry that status shows")
    parser.add_argument("-p", "--profile", dest="profile_option", metavar="PROFILE", help="the same, as an option")
    parser.add_argument("--all", action="store_true", help="every session of this cache")
    parser.add_argument("--forget-key", action="store_true", help="with --all: remove the key that sealed them, too")
    _settings(parser)


def _doctor(parser: Parser) -> None:
    _session(parser)
    parser.add_argument("--connect", action="store_true", help="also sign in, and try the warehouse or the cluster")


def _config_file(parser: argparse.ArgumentParser, *, default: Any = None) -> None:
    summary = "the profiles (default: ~/.databrickscfg)"
    parser.add_argument("--config-file", metavar="FILE", default=default, help=summary)


def _profiles(parser: Parser) -> None:
    _config_file(parser)
    actions = parser.add_subparsers(title="to change the file", metavar="ACTION", parser_class=ActionParser)
    add = _action(actions, "profiles add", "write a profile", (("lakekey profiles add dev --host https://…", ""),))
    add.add_argument("name", metavar="NAME", help="the profile")
    add.add_argument("--host", metavar="URL", help="the workspace's address")
    for option in ("warehouse-id", "cluster-id", "auth-type", "client-id", "account-id", "user", "scopes", "ca-file"):
        add.add_argument(f"--{option}", metavar="VALUE", help="written as it is")
    add.add_argument(
        "--replace", action="store_true", help="change the settings that are given in a profile of that name"
    )
    remove = _action(actions, "profiles remove", "remove a profile; its session stays until logout")
    remove.add_argument("name", metavar="NAME", help="the profile")
    default = _action(actions, "profiles set-default", "choose the profile that is used where none is named")
    default.add_argument("name", metavar="NAME", help="the profile")
    rename = _action(actions, "profiles rename", "rename a profile; its session stays")
    rename.add_argument("name", metavar="OLD", help="the profile")
    rename.add_argument("new", metavar="NEW", help="its new name")
    for action, parsed in (("add", add), ("remove", remove), ("set-default", default), ("rename", rename)):
        parsed.set_defaults(run=_later(f"profile_changes:{action.replace('-', '_')}"))
        _config_file(parsed, default=argparse.SUPPRESS)


def _action(
    actions: Any, command: str, summary: str, examples: Sequence[tuple[str, str]] = ()
) -> argparse.ArgumentParser:
    name = command.rpartition(" ")[2]
    parser: argparse.ArgumentParser = actions.add_parser(
        name, prog=f"lakekey {command}", help=summary, summary=summary, examples=examples
    )
    parser.set_defaults(parser=parser)
    _common(parser, default=argparse.SUPPRESS)  # so that what stands before the action counts, too
    return parser


def _secret(parser: Parser) -> None:
    parser.add_argument("action", choices=("set", "remove", "list"), help="what to do; set asks without echo")
    _session(parser)


def _keys(parser: Parser) -> None:
    parser.add_argument("action", nargs="?", choices=("show", "rotate"), default="show", help="(default: show)")
    sources = ("keyring", "file", "passphrase", "kms")
    parser.add_argument("--to", choices=sources, metavar="SOURCE", help=f"with rotate: {', '.join(sources)}")


def _store(parser: Parser) -> None:
    parser.add_argument("action", choices=("init", "check", "copy"), help="what to do")
    parser.add_argument("place", nargs="*", metavar="STORE", help="(default: LAKEKEY_STORE); copy takes FROM and TO")
    parser.add_argument("--sql", action="store_true", help="with init: print the statements for an administrator")


def _import(parser: Parser) -> None:
    _profile(parser, many=True, which="(default: all profiles and hosts found)")
    parser.add_argument("--delete", action="store_true", help="delete what was imported from the plain-text files")
    _config_file(parser)


def _serve(parser: Parser) -> None:
    _profile(parser, many=True, which="whose tokens (default: the default chain)")
    parser.add_argument("--port", type=port, default=0, help="the port on loopback (default: any free one)")
    parser.add_argument("--url-file", metavar="FILE", help="write the address there, readable for you only")
    parser.add_argument("--print-unit", action="store_true", help="print a unit file for systemd --user, and end")


def _keep_alive(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="PROFILE", help="profiles, or entries (default: all sessions)")
    parser.add_argument("--once", action="store_true", help="make one round and end, for a timer")
    every = "between two rounds (default: 3600)"
    parser.add_argument("--every", type=seconds, default=3600, metavar="SECONDS", help=every)
    parser.add_argument("--rate", type=seconds, default=60, metavar="N", help="renewals a minute (default: 60)")
    warn = "report a session's end so long ahead (default: 3)"
    parser.add_argument("--warn-days", type=seconds, default=3, metavar="DAYS", help=warn)
    parser.add_argument("--print-unit", action="store_true", help="print a service and a timer for systemd, and end")


def _auth(parser: Parser) -> None:
    actions = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=ActionParser)
    token = _action(actions, "auth token", "print a token as JSON")
    token.add_argument("--profile", "-p", help="a profile of .databrickscfg")
    token.add_argument("--host", help="the workspace, or the accounts' host")
    token.add_argument("--account-id", help="the account, beside its host")
    # The SDKs say these of hosts that serve workspaces and accounts alike; the host's own metadata says it, too.
    token.add_argument("--workspace-id", help="the workspace, on a host of several")
    token.add_argument("--experimental-is-unified-host", action="store_true", help="the host is such a one")
    token.add_argument("--force-refresh", action="store_true", help="renew the token first")
    token.add_argument("--output", "-o", choices=("json", "text"), default="json", help="always JSON")
    token.set_defaults(run=_later("serving.databricks_cli:auth_token"))
    path = _action(actions, "auth path", "print the path of a program for DATABRICKS_CLI_PATH")
    path.set_defaults(run=_later("serving.databricks_program:auth_path"))


def _env(parser: Parser) -> None:
    _profile(parser)
    parser.add_argument("--token", action="store_true", help="an access token itself, for tools that take nothing else")
    parser.add_argument(
        "--shell", choices=("sh", "fish", "powershell"), default="sh", help="whose syntax (default: sh)"
    )


def _run(parser: Parser) -> None:
    _profile(parser)
    parser.add_argument(
        "--token", action="store_true", help="hand out an access token, for tools that take nothing else"
    )
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND …", help="the command and its arguments")


def _api(parser: Parser) -> None:
    methods = ("get", "post", "put", "patch", "delete")
    parser.add_argument("method", choices=methods, type=str.lower, metavar="METHOD", help=", ".join(methods))
    parser.add_argument("path", metavar="PATH", help="such as /api/2.0/preview/scim/v2/Me")
    parser.add_argument("--data", metavar="JSON", help="the document to send; @FILE or - for standard input")
    parser.add_argument("-p", "--profile", metavar="PROFILE", help="a profile of .databrickscfg")
    _settings(parser)


def _sql(parser: Parser) -> None:
    parser.add_argument("statement", metavar="STATEMENT", help="one SQL statement, or - for standard input")
    parser.add_argument("-p", "--profile", metavar="PROFILE", help="a profile of .databrickscfg")
    parser.add_argument("--warehouse", metavar="ID", help="the warehouse, where the profile names none")
    parser.add_argument("--limit", type=seconds, default=1000, metavar="ROWS", help="rows to show (default: 1000)")
    _settings(parser)


def _apps(parser: Parser) -> None:
    parser.set_defaults(run=_later("apps:list_"))
    actions = parser.add_subparsers(title="to change them", metavar="ACTION", parser_class=ActionParser)
    _action(actions, "apps list", "list the apps").set_defaults(run=_later("apps:list_"))
    add = _action(
        actions,
        "apps add",
        "register an app; its secret is asked for without echo",
        (
            (
                "lakekey apps add prod --client-id … --host https://… --portal https://… --secret",
                "",
            ),
        ),
    )
    add.add_argument("--client-id", metavar="ID", required=True, help="the client id of the app")
    add.add_argument("--host", metavar="URL", action="append", help="a workspace; may be given several times")
    add.add_argument("--account-id", metavar="ID", help="the account, for all workspaces whose profiles name it")
    add.add_argument("--portal", metavar="URL", help="the portal's address, which the redirect URI is made from")
    add.add_argument("--redirect-uri", metavar="URL", help="the redirect URI itself, for routes of your own")
    add.add_argument("--secret", action="store_true", help="the app has a secret: asked for, or read from a pipe")
    add.add_argument("--scopes", metavar="LIST", help="(default: all-apis offline_access profile email openid)")
    add.add_argument("--issuer", metavar="URL", help="the issuer that the server's metadata must name")
    add.add_argument("--discovery-url", metavar="URL", help="the server's metadata, where it is not the workspace's")
    lives = "how long its refresh tokens live, as registered"
    add.add_argument("--refresh-token-minutes", type=whole_number, metavar="MINUTES", help=lives)
    lasts = "how long its sessions last at most, as registered"
    add.add_argument("--session-minutes", type=whole_number, metavar="MINUTES", help=lasts)
    add.add_argument("--default", action="store_true", help="use it where a profile names no client id")
    show = _action(actions, "apps show", "show one app, without its secret")
    default = _action(actions, "apps set-default", "use an app where a profile names no client id")
    rotate = _action(actions, "apps rotate-secret", "replace an app's secret, in all workers at once")
    rotate.add_argument("--drop-older", action="store_true", help="do not go on to try the older one")
    remove = _action(actions, "apps remove", "remove an app")
    remove.add_argument("--with-connections", action="store_true", help="although connections need it")
    check = _action(actions, "apps check", "ask the authorization server whether it takes the app's sign-ins")
    check.add_argument("-p", "--profile", metavar="PROFILE", help="the profile to ask through")
    named = {
        "add": add,
        "show": show,
        "set_default": default,
        "rotate_secret": rotate,
        "remove": remove,
        "check": check,
    }
    for action, parsed in named.items():
        parsed.add_argument("name", metavar="NAME", help="the app's name here")
        parsed.set_defaults(run=_later(f"apps:{action}"))


def _web(parser: Parser) -> None:
    parser.add_argument("words", nargs="*", metavar="PROFILE", help="the profiles to offer; or: check PROFILE…")
    parser.add_argument("--url", metavar="URL", help="the portal's own address, as browsers see it")
    parser.add_argument("--user-header", metavar="NAME", help="the header in which a proxy names the user")
    parser.add_argument(
        "--id-header", metavar="NAME", help="the header with the user's unchanging id, where there is one"
    )
    peers = "an address or network of that proxy; may be given several times"
    parser.add_argument("--trusted-peer", metavar="ADDRESS", action="append", help=peers)
    parser.add_argument("--single-user", metavar="NAME", help="every visitor is this person; on loopback only")
    parser.add_argument("--admin", metavar="NAME", action="append", help="who administers; may be given several times")
    pairs = "the service principal's profile for schedules"
    parser.add_argument("--automation", metavar="PROFILE=PROFILE", action="append", help=pairs)
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1", help="(default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=8030, help="(default: 8030)")
    parser.add_argument("--workers", type=whole_number, default=1, metavar="NUMBER", help="processes (default: 1)")
    parser.add_argument("--language", choices=("en", "de"), help="(default: the browser's)")
    warns = "days before its end at which a connection is shown as ending (default: 3)"
    parser.add_argument("--warn-days", type=whole_number, default=3, metavar="DAYS", help=warns)
    parser.add_argument("--schedules", metavar="FILE", help="with check: JSON, a list of name, profile and user")
    parser.add_argument("--print-unit", action="store_true", help="print a unit file for systemd, and end")


def _version(parser: Parser) -> None:
    parser.add_argument("--output", "-o", choices=("json", "text"), default="text", help="the form")


def _sandbox(parser: Parser) -> None:
    parser.add_argument("--port", type=port, default=0, help="the port on loopback (default: any free one)")
    lives = "how long access tokens live (default: 3600)"
    parser.add_argument("--token-lifetime", type=seconds, default=3600, metavar="SECONDS", help=lives)
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb", help="what runs the SQL")
    parser.add_argument("--directory", help="where to keep its certificate and secrets (default: a temporary one)")
    parser.add_argument("program", nargs="*", metavar="-- COMMAND", help="a command to run beside it, which ends it")


def _demo(parser: Parser) -> None:
    parser.add_argument(
        "--browser",
        action=argparse.BooleanOptionalAction,
        help="sign in yourself, or let a person be played (default: yourself, where there is a browser)",
    )


def _completion(parser: Parser) -> None:
    shells = ("bash", "zsh", "fish", "powershell")
    parser.add_argument("shell", choices=shells, metavar="SHELL", help=", ".join(shells))


def _complete(parser: Parser) -> None:
    parser.add_argument("words", nargs="*", help="the words so far; the last is the one to complete")


def _help(parser: Parser) -> None:
    parser.add_argument("topic", nargs="*", metavar="COMMAND", help="the command to explain")


COMMANDS: dict[str, Command] = {
    "overview": Command("overview:overview", "show where you stand, and the next command", ""),
    "login": Command(
        "login:login",
        "sign in, and keep the session for every program of this machine",
        SIGN_IN,
        _login,
        (
            ("lakekey login", "asks for what it does not know"),
            ("lakekey login prod --host https://…", "writes the profile prod, and signs in"),
            ("lakekey login prod --if-needed", "for scripts"),
        ),
    ),
    "logout": Command(
        "logout:logout",
        "forget a session, for every process, and revoke it at the server",
        SIGN_IN,
        _logout,
        (
            ("lakekey logout prod", ""),
            ("lakekey logout 3f2a81c09b4d", "the entry that lakekey status shows"),
            ("lakekey logout --all --forget-key", "leave nothing behind"),
        ),
    ),
    "status": Command(
        "status:status",
        "show who is signed in where, until when, and where it is kept",
        SIGN_IN,
        _session,
        (("lakekey status", "all sessions"), ("lakekey status prod", "one; exit status 3 where it needs a login")),
    ),
    "token": Command(
        "token:token",
        "print an access token, renewed where needed",
        USE,
        _session,
        (('curl -H "Authorization: Bearer $(lakekey token prod)" https://…', ""),),
    ),
    "sql": Command(
        "sql:sql",
        "run one SQL statement on the profile's warehouse",
        USE,
        _sql,
        (('lakekey sql "select 1"', "proves the whole chain"), ("lakekey sql - -p prod < query.sql", "")),
    ),
    "api": Command(
        "api:api",
        "send one request to the workspace's REST API",
        USE,
        _api,
        (
            ("lakekey api get /api/2.0/sql/warehouses", ""),
            ("lakekey api post /api/2.1/jobs/run-now --data @job.json", ""),
        ),
    ),
    "run": Command(
        "lend:run",
        "run a command with a session, for as long as it runs",
        USE,
        _run,
        (("lakekey run prod -- terraform plan", "the SDKs inside get tokens from a service on loopback"),),
    ),
    "env": Command(
        "lend:env",
        "print the variables with which other tools use a session",
        USE,
        _env,
        (('eval "$(lakekey env prod)"', "no secret is in them"),),
    ),
    "profiles": Command(
        "profiles:profiles",
        "list the profiles, or change them",
        CONFIGURE,
        _profiles,
        (("lakekey profiles", "all, and what each means"), ("lakekey profiles set-default prod", "")),
    ),
    "secret": Command(
        "secret:secret",
        "keep the secret of an app or a service principal sealed in the cache",
        CONFIGURE,
        _secret,
        (("lakekey secret set nightly", "asks for it without echo"),),
    ),
    "doctor": Command(
        "doctor.command:doctor",
        "check the whole chain behind a profile, and name the next step",
        CONFIGURE,
        _doctor,
        (("lakekey doctor prod --connect", "up to a query on the warehouse"),),
    ),
    "keys": Command(
        "keys:keys",
        "show the key that seals the cache, or rotate it",
        CONFIGURE,
        _keys,
        (("lakekey keys rotate --to keyring", "move the key to the OS keyring"),),
    ),
    "store": Command(
        "store:store",
        "set up, check or fill a store that several hosts share",
        CONFIGURE,
        _store,
        (
            ("lakekey store init --sql", "the one table, for an administrator"),
            ("lakekey store copy file: postgresql://worker@db.example.com/lakekey", "move this machine's sessions"),
        ),
    ),
    "import": Command(
        "importing.command:imports",
        "import sessions that other tools keep in plain text",
        CONFIGURE,
        _import,
        (("lakekey import --delete", "and delete the plain text"),),
    ),
    "serve": Command(
        "serving.command:serve",
        "serve tokens to the Databricks SDKs of every language",
        OTHERS,
        _serve,
        (("lakekey serve prod", "prints the two variables that they need"),),
    ),
    "keep-alive": Command(
        "keep_alive:keep",
        "renew sessions that would lapse unused, and say which end when",
        OTHERS,
        _keep_alive,
        (("lakekey keep-alive --once --json", "one round, for cron or a timer"),),
    ),
    "web": Command(
        "web:web",
        "let the users of a service connect on a page of their own",
        OTHERS,
        _web,
        (
            (
                "lakekey web prod --url https://… --user-header X-Forwarded-Email --trusted-peer 10.0.0.7",
                "behind a proxy that signs people in",
            ),
            ("lakekey web prod --url http://localhost:8030 --single-user you@example.com", "to look at it"),
            ("lakekey web check prod --schedules schedules.json", "what each schedule would act as"),
        ),
    ),
    "apps": Command(
        "apps:list_",
        "register the OAuth apps through which lakekey web signs people in",
        CONFIGURE,
        _apps,
        (("lakekey apps", "all of them"), ("lakekey apps rotate-secret prod", "asks for it without echo")),
    ),
    "auth": Command("", "answer the SDKs as the Databricks CLI does (DATABRICKS_CLI_PATH)", OTHERS, _auth),
    "sandbox": Command(
        "sandbox:sandbox",
        "run a local workspace to try things against",
        TRY,
        _sandbox,
        (("lakekey sandbox", ""), ("lakekey sandbox -- pytest", "runs a command beside it, which alone is led there")),
    ),
    "demo": Command("demo:demo", "see the main job, on a local workspace", TRY, _demo, (("lakekey demo", ""),)),
    "completion": Command(
        "completion:completion",
        "print the script that completes commands and profiles in a shell",
        CONFIGURE,
        _completion,
        (('eval "$(lakekey completion bash)"', "in ~/.bashrc"),),
    ),
    "complete": Command("completion:complete", "answer a shell that completes a command line", "", _complete),
    "version": Command("version:version", "print the version", TRY, _version),
    "help": Command("help:help_", "explain a command", TRY, _help, (("lakekey help login", ""),)),
}
