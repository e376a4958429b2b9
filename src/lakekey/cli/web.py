"""``lakekey web``: the portal as a service of its own, behind a single-sign-on proxy or for one person."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from lakekey import _log
from lakekey._hosts import LOOPBACK
from lakekey.cache.app_registrations import AppRegistration, choose
from lakekey.cli import prompt, web_unit
from lakekey.cli.output import print_json, print_table, print_text
from lakekey.cli.serving import own_files
from lakekey.errors import ConfigurationError
from lakekey.web.connections import Schedule
from lakekey.web.pages import fragment
from lakekey.web.people import ANY_USER, User
from lakekey.web.portal import Portal
from lakekey.web.registrations import Registrations
from lakekey.web.schedules import FAILS
from lakekey.web.user_header import UserHeader

#: How the workers are told what to serve. Nothing of it is secret.
SETTINGS = "LAKEKEY_WEB"


def web(arguments: argparse.Namespace) -> int:
    """Serve the portal until interrupted, check schedules, or print the unit file."""
    words = [*arguments.words, *([arguments.profile_option] if arguments.profile_option else [])]
    if words[:1] == ["check"]:
        return _check(arguments, words[1:])
    if arguments.print_unit:
        own_files.require_systemd("lakekey web", "/sc onstart")
    settings = _settings(arguments, words)
    portal = portal_of(settings)
    if arguments.print_unit:
        own_files.check_unit(program := os.path.abspath(sys.argv[0]))
        if (home := web_unit.home_of(program)) is not None:
            _log.warning("web", "the unit sees nothing below %s, where %s is: install lakekey elsewhere", home, program)
        print(web_unit.unit(program, [word for word in sys.argv[1:] if word != "--print-unit"]), end="")
        return 0
    uvicorn = require_web()
    if arguments.workers > 1 and portal.cache.volatile:
        raise ConfigurationError(
            f"each of the {arguments.workers} workers would have connections of its own: {portal.cache.volatile}",
            hint="set LAKEKEY_CACHE_DIR to a directory that the service can write to, or LAKEKEY_STORE",
        )
    if not arguments.json:
        _say(portal, arguments)
    shared: dict[str, Any] = {
        "host": arguments.bind,
        "port": arguments.port,
        "workers": arguments.workers,  # also where there is one: uvicorn would take WEB_CONCURRENCY of the environment
        # The peer that counts is the one of the connection; what a header says of it could be any visitor's words.
        "proxy_headers": False,
        "server_header": False,
        "lifespan": "off",
        "log_level": "debug" if arguments.debug else "info",
    }
    if arguments.workers == 1:
        uvicorn.run(portal, **shared)
    else:
        os.environ[SETTINGS] = json.dumps(settings)
        uvicorn.run("lakekey.cli.web:application", factory=True, **shared)
    return 0


def application() -> Portal:
    """The portal of a worker process."""
    return portal_of(json.loads(os.environ[SETTINGS]))


def portal_of(settings: dict[str, Any]) -> Portal:
    """The portal that the settings describe.

    Raises:
        ConfigurationError: They contradict each other.
    """
    if settings["single_user"]:
        name = settings["single_user"]

        def user(_: Any) -> str:
            return str(name)

        who: Any = user
    else:
        who = UserHeader(settings["user_header"], settings["trusted_peers"], id_name=settings["id_header"])
    if settings["schedules"]:
        _read_schedules(settings["schedules"])  # a file that is not valid is refused at start
    return Portal(
        settings["profiles"],
        url=settings["url"],
        user=who,
        admin=settings["admin"] or None,
        automation=settings["automation"],
        schedules=(lambda: _read_schedules(settings["schedules"])) if settings["schedules"] else None,
        language=settings["language"],
        new_tab=settings.get("new_tab", False),
        warn_days=settings["warn_days"],
    )


def _settings(arguments: argparse.Namespace, profiles: list[str]) -> dict[str, Any]:
    if not arguments.url:
        raise ConfigurationError("the portal's address is missing", hint="--url https://app.example.com/lakekey")
    if bool(arguments.user_header) == bool(arguments.single_user):
        raise ConfigurationError(
            "the portal needs exactly one way to identify its users",
            hint="--user-header NAME --trusted-peer ADDRESS, or --single-user NAME on loopback",
        )
    if arguments.user_header and not arguments.trusted_peer:
        raise ConfigurationError(
            f"the header {arguments.user_header} identifies the user, but no trusted peer is listed for it",
            hint="list the addresses of the proxy: --trusted-peer 10.0.0.7",
        )
    if arguments.single_user:
        here = urlsplit(arguments.url).hostname in LOOPBACK and arguments.bind in LOOPBACK
        if not here:
            raise ConfigurationError(
                "--single-user makes every visitor that person, so it serves loopback only",
                hint="--url http://localhost:8030, or --user-header with --trusted-peer",
            )
    automation = dict(_pair(each) for each in arguments.automation or ())
    return {
        "profiles": profiles or ["DEFAULT"],
        "url": arguments.url,
        "user_header": arguments.user_header,
        "id_header": arguments.id_header,
        "trusted_peers": arguments.trusted_peer or [],
        "single_user": arguments.single_user,
        "admin": arguments.admin or [],
        "automation": automation,
        "schedules": arguments.schedules and os.path.abspath(arguments.schedules),
        "language": arguments.language,
        "new_tab": arguments.new_tab,
        "warn_days": arguments.warn_days,
    }


def _pair(text: str) -> tuple[str, str]:
    person, separator, service = text.partition("=")
    if not separator or not person or not service:
        raise ConfigurationError(
            f"--automation {text!r} is not a pair", hint="--automation PROFILE=PROFILE-OF-THE-SERVICE-PRINCIPAL"
        )
    return person, service


class _OnlyRead(Registrations):
    """The apps, for a check. It keeps none of a profile's own client: the portal that does so knows its address."""

    def ensure(self, app: AppRegistration, *, among: Sequence[AppRegistration]) -> None:
        """See `Registrations.ensure`."""


class _EachPortal(Portal):
    """All portals of the store, for a check: the page of a connection is on the portal whose app it is made through."""

    def page_of(self, profile: str) -> str:
        """See `PortalService.page_of`."""
        target = self.target(profile, ANY_USER)
        app = choose(self.registrations.all(), target.host, target.account_id, target.client_id)
        return f"{app.portal if app is not None and app.portal else self.url}/#{fragment(profile)}"


def _check(arguments: argparse.Namespace, profiles: list[str]) -> int:
    """Check the schedules of a file; exit status 1 where one could not sign in."""
    if not arguments.schedules:
        raise ConfigurationError(
            "the schedules to check are missing", hint="lakekey web check PROFILE… --schedules FILE, or - for a pipe"
        )
    schedules = _read_schedules(arguments.schedules)
    names = profiles or list(dict.fromkeys(each.profile for each in schedules))
    portal = (Portal if arguments.url else _EachPortal)(
        names or ["DEFAULT"],
        url=arguments.url or "http://localhost:8030",
        user=lambda _: None,
        automation=dict(_pair(each) for each in arguments.automation or ()),
    )
    portal.registrations = _OnlyRead(portal.cache)
    checked = portal.check_schedules(schedules)
    if arguments.json:
        print_json([each.as_json() for each in checked])
    else:
        rows = [(each.schedule, each.profile, each.verdict, each.acts_as or "", each.reason) for each in checked]
        print_table(("SCHEDULE", "PROFILE", "VERDICT", "ACTS AS", "WHY"), rows)
        for user, url in dict.fromkeys((each.user, each.url) for each in checked if each.verdict == FAILS):
            print_text(f"{user} connects at {url}")
    return 1 if any(each.verdict == FAILS for each in checked) else 0


def _read_schedules(path: str) -> list[Schedule]:
    from lakekey import _json

    try:
        if path == "-":
            text = prompt.piped()
        else:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        return [
            Schedule(str(each["name"]), str(each["profile"]), User(str(each["user"]), str(each.get("user_id") or "")))
            for each in _json.loads(text)
        ]
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}", hint="name an existing file") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigurationError(
            f"{path} is not a list of schedules",
            hint='[{"name": "nightly", "profile": "prod", "user": "ada@example.com"}]',
        ) from None


def _say(portal: Portal, arguments: argparse.Namespace) -> None:
    print_text(f"The portal for {', '.join(portal.profiles)} is at {portal.url}")
    for profile in portal.profiles:
        app = portal.app_of(portal.target(profile, ANY_USER))
        uri = portal.redirect_uri(app.name if app is not None else profile.lower())
        registered = "" if app is not None else "  (no app is registered yet: lakekey apps add)"
        print(f"  {profile}: redirect URI {uri}{registered}")
    if arguments.single_user:
        print_text(f"Every visitor of this machine is {arguments.single_user}.")
    sys.stdout.flush()


def require_web() -> Any:
    """Uvicorn, or what is missing where the extra is not installed.

    Raises:
        ConfigurationError: It is not.
    """
    try:
        import starlette
        import uvicorn
    except ImportError as error:
        raise ConfigurationError(
            f"the portal needs {error.name}, which comes with the extra", hint="pip install 'lakekey[web]'"
        ) from None
    _ = starlette
    return uvicorn
