"""``lakekey apps``: the OAuth apps through which a portal signs people in."""

import argparse
from typing import Any

from lakekey import _commands, _moments
from lakekey.cache.app_registrations import DEFAULT_SCOPES, AppRegistration
from lakekey.cache.opening import open_cache
from lakekey.cli import prompt
from lakekey.cli.output import print_facts, print_json, print_table, print_text
from lakekey.errors import CacheWriteFailed, ConfigurationError
from lakekey.web.registrations import Registrations


def list_(arguments: argparse.Namespace) -> int:
    """List the registrations."""
    apps = Registrations(open_cache()).counted()
    if arguments.json:
        print_json([_facts(app, count) for app, count in apps])
        return 0
    if not apps:
        print_text(
            "No app is registered. Add one with: lakekey apps add NAME --client-id ID --host https://… --portal https://…"
        )
        return 0
    rows = [
        (
            app.name,
            app.client_id,
            ", ".join(app.hosts) or f"account {app.account_id}",
            "default" if app.is_default else "",
            str(count),
        )
        for app, count in apps
    ]
    print_table(("NAME", "CLIENT ID", "WORKSPACES", "", "CONNECTIONS"), rows)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show one registration, without its secret."""
    registrations = Registrations(open_cache())
    app = registrations.get(arguments.name)
    _show(app, len(registrations.connections_of(app, strict=False)), as_json=arguments.json)
    return 0


def add(arguments: argparse.Namespace) -> int:
    """Add a registration."""
    name = arguments.name
    redirect_uri = arguments.redirect_uri or (
        f"{arguments.portal.rstrip('/')}/callback/{name}" if arguments.portal else ""
    )
    if not redirect_uri:
        raise ConfigurationError(
            "the portal's address is missing, and the redirect URI is made from it",
            hint="--portal https://app.example.com/lakekey",
        )
    registrations = _lasting()
    kept = registrations.add(
        AppRegistration(
            name,
            arguments.client_id,
            hosts=tuple(arguments.host or ()),
            account_id=arguments.account_id,
            discovery_url=arguments.discovery_url,
            issuer=arguments.issuer,
            scopes=tuple(arguments.scopes.replace(",", " ").split()) if arguments.scopes else DEFAULT_SCOPES,
            secret=_ask(f"Client secret of {arguments.client_id}: ") if arguments.secret else "",
            refresh_token_lifetime_in_minutes=arguments.refresh_token_minutes,
            absolute_session_lifetime_in_minutes=arguments.session_minutes,
            redirect_uri=redirect_uri,
            is_default=arguments.default,
        ),
        with_connections=arguments.with_connections,
    )
    _show(kept, 0, as_json=arguments.json)
    if not arguments.json:
        print()
        print_text(f"Register this redirect URI for the app, then try it: lakekey apps check {_commands.word(name)}")
    return 0


def set_(arguments: argparse.Namespace) -> int:
    """Change a registration where it is."""
    registrations, fields = Registrations(open_cache()), _changes(arguments)
    if not fields:
        raise ConfigurationError("nothing to change was given", hint="see: lakekey apps set --help")
    kept, what, ended = registrations.change(arguments.name, with_connections=arguments.with_connections, **fields)
    if arguments.json:
        count = len(registrations.connections_of(kept, strict=False))
        print_json({**_facts(kept, count), "changed": what, "ended_connections": ended})
        return 0
    if not what:
        print_text(f"{arguments.name} is unchanged: it already has these settings.")
        return 0
    print_text(f"{kept.name} is changed, for every worker from now on: {', '.join(what)}.")
    if ended:
        print_text(_ended(ended))
    if "redirect_uri" in what:
        print_text(f"Register this redirect URI for the app: {kept.redirect_uri}")
    return 0


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields that the command names; the word ``none`` takes one away."""
    fields: dict[str, Any] = {}
    for name in ("account_id", "issuer", "discovery_url"):
        if (given := getattr(arguments, name)) is not None:
            fields[name] = None if given == "none" else given
    if arguments.refresh_token_minutes is not None:
        fields["refresh_token_lifetime_in_minutes"] = arguments.refresh_token_minutes or None
    if arguments.session_minutes is not None:
        fields["absolute_session_lifetime_in_minutes"] = arguments.session_minutes or None
    if arguments.rename is not None:
        fields["name"] = arguments.rename
    if arguments.host:
        fields["hosts"] = tuple(arguments.host)
    if arguments.scopes:
        fields["scopes"] = tuple(arguments.scopes.replace(",", " ").split())
    if arguments.redirect_uri or arguments.portal:
        portal, name = arguments.portal or "", arguments.rename or arguments.name
        fields["redirect_uri"] = arguments.redirect_uri or f"{portal.rstrip('/')}/callback/{name}"
    return fields


def set_default(arguments: argparse.Namespace) -> int:
    """Make a registration the default for its workspaces."""
    ended = Registrations(open_cache()).set_default(arguments.name, with_connections=arguments.with_connections)
    said = f"{arguments.name} is the default for its workspaces."
    return _done(arguments, f"{said} {_ended(ended)}" if ended else said, ended_connections=ended)


def rotate_secret(arguments: argparse.Namespace) -> int:
    """Replace the secret; the older one is used beside it, unless it is dropped, or until the change is finished."""
    registrations = Registrations(open_cache())
    app = registrations.get(arguments.name)
    if arguments.finish:
        registrations.forget_older_secret(arguments.name)
        return _done(arguments, f"The older secret of {arguments.name} is forgotten.")
    registrations.rotate_secret(
        arguments.name, _ask(f"New client secret of {app.client_id}: "), keep_older=not arguments.drop_older
    )
    beside = "" if arguments.drop_older or not app.secret else " The older one is sent if the new one is refused."
    return _done(arguments, f"{arguments.name} has a new secret, which every worker uses from now on.{beside}")


def remove(arguments: argparse.Namespace) -> int:
    """Remove a registration; with connections only where that is said."""
    registrations = Registrations(open_cache())
    count = registrations.remove(arguments.name, with_connections=arguments.with_connections)
    said = f"{arguments.name} is removed."
    if count:
        said += f" {count} connection{'s' if count > 1 else ''} end{'' if count > 1 else 's'} with the next renewal."
    return _done(arguments, said, connections=count)


def check(arguments: argparse.Namespace) -> int:
    """Ask the authorization server whether it takes the app's sign-ins; exit status 1 where it does not."""
    from lakekey.web import app_check

    app = Registrations(open_cache()).get(arguments.name)
    asked = [app_check.target_of(app, arguments.profile, None)] if arguments.profile else app_check.targets_of(app)
    checked = [app_check.check(app, target) for target in asked]
    if arguments.json:
        print_json({"name": app.name, "issuer": checked[0].issuer, "workspaces": [each._asdict() for each in checked]})
        return 0
    said = {
        app_check.TAKEN: " It accepts the secret." if app.secret else "",
        app_check.OLDER_TAKEN: " It accepts the older secret only, not the new one yet.",
        app_check.UNTOLD: " Whether it accepts the secret shows when a person signs in." if app.secret else "",
    }
    for each in checked:
        print(f"{each.host} accepts sign-ins through {app.name}.{said[each.secret]}")
    return 0


def _ended(count: int) -> str:
    return f"{count} connection{'s end' if count > 1 else ' ends'}: these people have to sign in again."


def _done(arguments: argparse.Namespace, said: str, **facts: Any) -> int:
    if arguments.json:
        print_json({"name": arguments.name, **facts})
    else:
        print_text(said)
    return 0


def _show(app: AppRegistration, connections: int, *, as_json: bool) -> None:
    facts = _facts(app, connections)
    if as_json:
        print_json(facts)
        return
    secret = {"none": "none (a public client)", "one": "sealed", "two": "sealed; the older one is used beside it"}
    print_facts(
        {
            "name": app.name,
            "client id": app.client_id,
            "workspaces": ", ".join(app.hosts) or None,
            "account": app.account_id,
            "issuer": app.issuer,
            "metadata": app.discovery_url,
            "scopes": " ".join(app.scopes),
            "secret": secret[facts["secret"]],
            "secret since": facts["secret_changed_at"],
            "refresh tokens": _minutes(app.refresh_token_lifetime_in_minutes),
            "sessions": _minutes(app.absolute_session_lifetime_in_minutes),
            "redirect URI": app.redirect_uri,
            "default": "yes" if app.is_default else "no",
            "connections": str(connections),
            "profile": app.of_profile or None,
        }
    )


def _facts(app: AppRegistration, connections: int) -> dict[str, Any]:
    """What there is to show: everything but the secrets."""
    fields = {name: value for name, value in app._asdict().items() if name not in ("secret", "older_secret")}
    changed = app.secret_changed_at if app.secret else 0.0
    return {
        **{name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()},
        "secret": "two" if app.older_secret else "one" if app.secret else "none",
        "secret_changed_at": _moments.utc(changed).isoformat(timespec="seconds") if changed else None,
        "connections": connections,
    }


def _minutes(value: float | None) -> str | None:
    return f"{value:.15g} minutes" if value else None


def _ask(question: str) -> str:
    """A secret, without echo; from a pipe its first line. Never from the command line, which others can read."""
    typed = prompt.ask_secret(question)
    if not typed:
        raise ConfigurationError("no secret was typed", hint="try again, or pipe it in")
    return typed


def _lasting() -> Registrations:
    """The registrations, for the first of them: one that ends with this command is of no use."""
    cache = open_cache()
    cache.begin()
    if cache.volatile:
        raise CacheWriteFailed(
            f"{cache.volatile}, so the app would be gone after this command",
            hint="set LAKEKEY_STORE or LAKEKEY_CACHE_DIR to the portal's",
        )
    return Registrations(cache)
