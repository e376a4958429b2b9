"""What the administrator's page shows: the apps, and the people with their connections. No secret is on it.

What cannot be taken back lies behind a fold that says what it ends, and opens without a script.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import NamedTuple

from lakekey import _moments
from lakekey.cache.app_registrations import DEFAULT_SCOPES, AppRegistration
from lakekey.web import app_changes, words
from lakekey.web.everyone import Held
from lakekey.web.frame import page, say, spelled
from lakekey.web.pages import Form, Message, facts, fold, message_box, time_if_known
from lakekey.web.people_page import people

#: The fields of the form that registers an app, in its order; those before the fold are asked of every app.
FIELDS = ("name", "client_id", "host", "secret")
MORE_FIELDS = ("account_id", "scopes", "refresh_token_minutes", "session_minutes", "issuer", "discovery_url")
_REQUIRED = frozenset({"name", "client_id"})


class View(NamedTuple):
    """What the page is made of.

    Attributes:
        apps: The registrations, each with the number of its connections.
        held: The connections of all users.
        portal: The portal's own address.
        now: The time by which its dates are.
        search: A part of a name, to which the list of users is cut.
        given: What was typed into the form that was refused; no secret.
    """

    apps: Sequence[tuple[AppRegistration, int]]
    held: Sequence[Held]
    portal: str
    now: datetime
    search: str = ""
    given: Mapping[str, str] | None = None


def administration(language: str, view: View, form: Form, message: Message | None) -> bytes:
    """The page."""
    apps = "".join(_app(language, app, count, form, view) for app, count in view.apps)
    body = (
        f'{message_box(message)}<p><a href="{escape(form.base)}/">{say(language, "back")}</a></p>'
        f"<h2>{say(language, 'apps')}</h2>"
        + (f"<ul>{apps}</ul>" if apps else f"<p>{say(language, 'no-apps')}</p>")
        + _new_app(language, view, form)
        + f"<h2>{say(language, 'everyone')}</h2>"
        + people(language, view.held, form, search=view.search, now=view.now)
    )
    return page(language, say(language, "administration"), body)


# -- apps ---------------------------------------------------------------------------------------------------------


def _app(language: str, app: AppRegistration, count: int, form: Form, view: View) -> str:
    """An app: what it is, and what can be done with it."""
    shown = f"<li><h3>{escape(app.name)}</h3>"
    if app.is_default:
        shown += f"<p><strong>{say(language, 'is-default')}</strong></p>"
    shown += facts(language, _app_facts(language, app, count))
    shown += _button(language, form, "check", "check-app", app=app.name)
    if app.of_profile:  # it follows its profile, and nothing of it is changed here
        return f"{shown}</li>"
    if not app.is_default:
        shown += _make_default(language, app, form, view)
    if app.older_secret:
        shown += _button(language, form, "forget-secret", "forget-secret", app=app.name)
    shown += _changes(language, app, count, form, view) + _new_secret(language, app, form)
    return f"{shown}{_removal(language, app, count, form)}</li>"


def _app_facts(language: str, app: AppRegistration, count: int) -> Iterable[tuple[str, str]]:
    secret = say(language, "secret-two" if app.older_secret else "secret-one" if app.secret else "secret-none")
    changed = _moments.utc(app.secret_changed_at) if app.secret and app.secret_changed_at else None
    yield "app-redirect-uri", f"<code>{escape(app.redirect_uri)}</code>"
    yield "app-client", escape(app.client_id)
    yield "app-workspaces", escape(" ".join(host.removeprefix("https://") for host in app.hosts))
    yield "app-account", escape(spelled(app.account_id or ""))
    yield "app-scopes", escape(spelled(" ".join(app.scopes)))
    yield "app-secret", secret
    yield "app-secret-since", time_if_known(language, changed)
    yield "app-refresh-tokens", _minutes(language, app.refresh_token_lifetime_in_minutes)
    yield "app-sessions", _minutes(language, app.absolute_session_lifetime_in_minutes)
    yield "app-issuer", escape(spelled(app.issuer or ""))
    yield "app-metadata", escape(spelled(app.discovery_url or ""))
    yield "app-profile", escape(spelled(app.of_profile))
    yield "app-connections", str(count)


def _minutes(language: str, minutes: float | None) -> str:
    return say(language, "minutes", minutes=_written(minutes)) if minutes else ""


def _written(minutes: float) -> str:
    """A number as the form takes it: whole, without an exponent."""
    return f"{minutes:.15g}"


def _given(view: View, app: AppRegistration, action: str) -> Mapping[str, str] | None:
    """What was typed into an app's form that was refused; ``None`` if that was another form, or none."""
    given = view.given
    is_it = given is not None and (given.get("do"), given.get("app")) == (action, app.name)
    return given if is_it else None


def _make_default(language: str, app: AppRegistration, form: Form, view: View) -> str:
    """The button that makes an app the default; after a refusal, with the box that says that connections may end."""
    if _given(view, app, "default") is None:
        return _button(language, form, "default", "make-default", app=app.name)
    box = _checkbox(language, f"default-{app.name}", "with_connections", "end-connections", checked=False)
    return _form(form, words.text(language, "make-default", app=app.name), box, do="default", app=app.name)


def _changes(language: str, app: AppRegistration, count: int, form: Form, view: View) -> str:
    """The form that changes an app, with what it has now; after a refusal, with what was typed."""
    given = _given(view, app, "set")
    now = _typed(app) if given is None else given
    fields = "".join(
        _field(language, name, now.get(name, ""), app.redirect_uri, of=app.name)
        for name in ("name", "host", *MORE_FIELDS)
    )
    if count:
        fields += f"<p>{say(language, 'app-may-end', count=str(count))}</p>"
    if count or given is not None:  # what was refused may end connections of another app
        said = given is not None and given.get("with_connections") == "yes"
        fields += _checkbox(language, f"end-{app.name}", "with_connections", "end-connections", checked=said)
    label = words.text(language, "change-app", app=app.name)
    # What was typed counts against what was seen then: a change made meanwhile is not taken back by a second click.
    seen = app_changes.version(app) if given is None else given.get("seen", "")
    whole = _form(form, label, fields, do="set", app=app.name, seen=seen)
    return fold(say(language, "change-app-of", app=app.name), whole, is_open=given is not None)


def _typed(app: AppRegistration) -> Mapping[str, str]:
    """An app as its form has it."""
    minutes = app.refresh_token_lifetime_in_minutes, app.absolute_session_lifetime_in_minutes
    refresh_token, session = (_written(each) if each else "" for each in minutes)
    typed = {
        "name": app.name,
        "host": " ".join(app.hosts),
        "account_id": app.account_id or "",
        "scopes": " ".join(app.scopes),
        "refresh_token_minutes": refresh_token,
        "session_minutes": session,
        "issuer": app.issuer or "",
        "discovery_url": app.discovery_url or "",
    }
    return {name: spelled(value) for name, value in typed.items()}


def _new_secret(language: str, app: AppRegistration, form: Form) -> str:
    name = f"secret-{app.name}"
    fields = (
        f'<label for="{name}">{say(language, "new-secret", app=app.name)}</label>'
        f'<input type="password" id="{name}" name="secret" value="" autocomplete="off" required>'
    )
    if app.secret:
        fields += _checkbox(language, f"keep-{app.name}", "keep_older", "keep-older", checked=True)
    label = words.text(language, "replace-secret", app=app.name)
    whole = _form(form, label, fields, do="secret", app=app.name)
    return fold(say(language, "replace-secret-of", app=app.name), whole)


def _removal(language: str, app: AppRegistration, count: int, form: Form) -> str:
    more = say(language, "app-needed", count=str(count)) if count else say(language, "app-not-needed")
    label = words.text(language, "remove-app-anyway" if count else "remove-app", app=app.name)
    said = "yes" if count else "no"  # a connection that is made meanwhile is counted when the button is pressed
    button = form.button("admin", label, do="remove-app", app=app.name, with_connections=said)
    return fold(say(language, "removal-of", what=app.name), f"<p>{more}</p>{button}")


def _new_app(language: str, view: View, form: Form) -> str:
    typed = view.given if view.given is not None and view.given.get("do") == "add" else None
    given = {"scopes": " ".join(DEFAULT_SCOPES)} if typed is None else typed
    redirect_uri = f"{view.portal}/callback/{words.text(language, 'name-placeholder')}"

    def field(name: str) -> str:
        return _field(language, name, given.get(name, ""), redirect_uri)

    more = "".join(map(field, MORE_FIELDS))
    more += _checkbox(language, "new-default", "default", "field-default", checked=given.get("default") == "yes")
    if typed is not None:
        said = typed.get("with_connections") == "yes"
        more += _checkbox(language, "new-end", "with_connections", "end-connections", checked=said)
    fields = "".join(map(field, FIELDS)) + fold(say(language, "more-fields"), more, is_open=typed is not None)
    whole = _form(form, words.text(language, "add"), fields, do="add")
    return fold(say(language, "add-app"), whole, is_open=not view.apps or typed is not None)


def _field(language: str, name: str, value: str, redirect_uri: str, *, of: str = "") -> str:
    """A field; its labels and hints are tied to it by an id, which is of the new app or of one that is there."""
    place = f"set-{of}-{name}" if of else f"new-{name}"
    kind = "password" if name == "secret" else "number" if name.endswith("_minutes") else "text"
    least = ' min="1"' if kind == "number" else ""
    required = " required" if name in _REQUIRED else ""
    hint = ""
    if words.has(f"hint-{name}"):
        hint = f'<p class="quiet" id="hint-{place}">{say(language, f"hint-{name}", redirect_uri=redirect_uri)}</p>'
        required += f' aria-describedby="hint-{place}"'
    return (
        f'<label for="{place}">{say(language, f"field-{name}")}</label>{hint}'
        f'<input type="{kind}" id="{place}" name="{name}" value="{escape(value)}"{least} autocomplete="off"'
        f"{required}>"
    )


# -- pieces -------------------------------------------------------------------------------------------------------


def _button(language: str, form: Form, action: str, key: str, *, app: str) -> str:
    return form.button("admin", words.text(language, key, app=app), do=action, app=app)


def _checkbox(language: str, place: str, name: str, key: str, *, checked: bool) -> str:
    is_checked = " checked" if checked else ""
    box = f'<input type="checkbox" id="{place}" name="{name}" value="yes"{is_checked}>'
    return f'<p class="choice">{box}<label for="{place}">{say(language, key)}</label></p>'


def _form(form: Form, label: str, fields: str, **hidden: str) -> str:
    """A form with fields, which are HTML already."""
    sent = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in {"token": form.token, **hidden}.items()
    )
    return (
        f'<form method="post" action="{escape(form.base)}/admin" class="fields">{sent}{fields}'
        f'<button class="first">{escape(label)}</button></form>'
    )
