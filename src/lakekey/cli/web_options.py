"""The options of the commands for hosted sign-in: `lakekey web` and `lakekey apps`."""

from lakekey.cli.options import action, later
from lakekey.cli.parser import ActionParser, Parser, port, whole_number


def apps(parser: Parser) -> None:
    """``lakekey apps``."""
    parser.set_defaults(run=later("apps:list_"))
    actions = parser.add_subparsers(title="to change them", metavar="ACTION", parser_class=ActionParser)
    action(actions, "apps list", "list the apps", (("lakekey apps list --json", ""),)).set_defaults(
        run=later("apps:list_")
    )
    add = action(
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
    add.add_argument(
        "--secret", action="store_true", help="the app has a secret: lakekey asks for it, or reads it from a pipe"
    )
    add.add_argument("--scopes", metavar="LIST", help="(default: all-apis offline_access profile email openid)")
    add.add_argument("--issuer", metavar="URL", help="the issuer that the server's metadata must name")
    add.add_argument("--discovery-url", metavar="URL", help="the server's metadata, if not the workspace's")
    lives = "how long its refresh tokens live, as registered"
    add.add_argument("--refresh-token-minutes", type=whole_number, metavar="MINUTES", help=lives)
    lasts = "how long its sessions last at most, as registered"
    add.add_argument("--session-minutes", type=whole_number, metavar="MINUTES", help=lasts)
    add.add_argument("--default", action="store_true", help="use it if a profile names no client id")
    add.add_argument("--with-connections", action="store_true", help="even if other apps' connections end")
    change = action(
        actions,
        "apps set",
        "change an app in place; settings that are not given stay",
        (("lakekey apps set prod --scopes 'sql offline_access'", ""),),
    )
    change.add_argument("--rename", metavar="NAME", help="a new name here, which changes the redirect URI")
    change.add_argument("--host", metavar="URL", action="append", help="the workspaces, all of them")
    change.add_argument("--account-id", metavar="ID", help="the account, or none")
    change.add_argument("--portal", metavar="URL", help="the portal's new address")
    change.add_argument("--redirect-uri", metavar="URL", help="the redirect URI itself")
    change.add_argument("--scopes", metavar="LIST", help="what it asks for")
    change.add_argument("--issuer", metavar="URL", help="the issuer that the server's metadata must name, or none")
    change.add_argument("--discovery-url", metavar="URL", help="the server's metadata, or none for the workspace's")
    change.add_argument("--refresh-token-minutes", type=_minutes, metavar="MINUTES", help="as registered, or none")
    change.add_argument("--session-minutes", type=_minutes, metavar="MINUTES", help="as registered, or none")
    change.add_argument("--with-connections", action="store_true", help="even if connections end")
    show = action(actions, "apps show", "show one app, without its secret", (("lakekey apps show prod", ""),))
    default = action(
        actions,
        "apps set-default",
        "use an app where a profile names no client id",
        (("lakekey apps set-default prod", ""),),
    )
    default.add_argument("--with-connections", action="store_true", help="even if other apps' connections end")
    rotate = action(
        actions,
        "apps rotate-secret",
        "replace an app's secret, in all workers at once",
        (("lakekey apps rotate-secret prod", ""),),
    )
    rotate.add_argument("--drop-older", action="store_true", help="stop trying the older one")
    rotate.add_argument("--finish", action="store_true", help="forget the older one; no new secret is asked for")
    remove = action(actions, "apps remove", "remove an app", (("lakekey apps remove prod", ""),))
    remove.add_argument("--with-connections", action="store_true", help="even if connections need it")
    check = action(
        actions,
        "apps check",
        "ask the authorization server whether it takes the app's sign-ins",
        (("lakekey apps check prod", ""),),
        takes_profile=True,
    )
    check.add_argument("-p", "--profile", metavar="PROFILE", help="the profile to ask through")
    named = {
        "add": add,
        "set_": change,
        "show": show,
        "set_default": default,
        "rotate_secret": rotate,
        "remove": remove,
        "check": check,
    }
    for name, parsed in named.items():
        parsed.add_argument("name", metavar="NAME", help="the app's name here")
        parsed.set_defaults(run=later(f"apps:{name}"))


def _minutes(text: str) -> int:
    return 0 if text == "none" else whole_number(text)


def web(parser: Parser) -> None:
    """``lakekey web``."""
    parser.add_argument("words", nargs="*", metavar="PROFILE", help="the profiles to offer; or: check PROFILE…")
    parser.add_argument("-p", "--profile", dest="profile_option", metavar="PROFILE", help="the same, as an option")
    parser.add_argument("--url", metavar="URL", help="the portal's own address, as browsers see it")
    parser.add_argument("--user-header", metavar="NAME", help="the header in which a proxy names the user")
    parser.add_argument("--id-header", metavar="NAME", help="the header with the user's unchanging id, if there is one")
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
    parser.add_argument("--new-tab", action="store_true", help="sign-ins open a tab of their own")
    warns = "days before its end at which a connection is shown as ending (default: 3)"
    parser.add_argument("--warn-days", type=whole_number, default=3, metavar="DAYS", help=warns)
    parser.add_argument(
        "--schedules", metavar="FILE", help="what runs without a person: JSON, a list of name, profile and user"
    )
    parser.add_argument("--print-unit", action="store_true", help="print a unit file for systemd, and end")
