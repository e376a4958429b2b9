"""What an administrator does on the page: one method for each of its buttons, each returning what to tell."""

from collections.abc import Callable, Mapping
from typing import Any

from lakekey.cache.app_registrations import DEFAULT_SCOPES, AppRegistration
from lakekey.errors import CredentialsRefused, LoginFailed
from lakekey.web import app_check, words
from lakekey.web.everyone import Everyone, Removal
from lakekey.web.people import User
from lakekey.web.registrations import Registrations
from lakekey.web.reliance import Reliance
from lakekey.web.service import PortalService
from lakekey.web.told import retold, told

Fields = Mapping[str, str]


class Administrator:
    """An administrator at the page.

    Args:
        portal: The portal.
        language: In which to tell what was done.
        actor: Who it is, for the audit records.
        reliance: What runs without a person.
    """

    def __init__(self, portal: PortalService, language: str, actor: User, reliance: Reliance) -> None:
        self._portal = portal
        self._language = language
        self._registrations = Registrations(portal.cache, actor=actor.name)
        self._everyone = Everyone(portal, actor=actor.name, reliance=reliance)

    def do(self, form: Fields) -> str:
        """What a form asks for.

        Raises:
            LakekeyError: It cannot be done, or not wholly.
        """
        act = _ACTS.get(form.get("do", ""))
        if act is None:
            raise told("e-action", "there is no such action", hint="open the page again")
        return act(self, form)

    def add(self, form: Fields) -> str:
        """Register an app."""
        fields = _fields(form)
        kept = self._registrations.add(
            AppRegistration(
                client_id=form.get("client_id", "").strip(),
                secret=form.get("secret", "").strip(),
                redirect_uri=self._portal.redirect_uri(fields["name"]),
                is_default=form.get("default") == "yes",
                **fields,
            ),
            with_connections=_although(form),
        )
        return self._text("app-added", app=kept.name, redirect_uri=kept.redirect_uri)

    def change(self, form: Fields) -> str:
        """Change an app where it is; connections end by it only where that is ticked."""
        kept, what, ended = self._registrations.change(
            form.get("app", ""),
            with_connections=_although(form),
            seen=form.get("seen", ""),
            **_fields(form),
        )
        if not what:
            return self._text("app-same", app=kept.name)
        said = [self._text("app-changed", app=kept.name)]
        if "redirect_uri" in what:
            said.append(self._text("app-moved", redirect_uri=kept.redirect_uri))
        if "is_default" in what:
            said.append(self._text("app-yields", app=kept.name))
        if ended:
            said.append(self._text("app-ended", count=str(ended)))
        return " ".join(said)

    def check(self, form: Fields) -> str:
        """Try an app at each of its workspaces; nothing is changed."""
        app, said = self._registrations.get(form.get("app", "")), []
        # Only where this portal signs in: a form of the page chooses no other host for the server to ask.
        targets = app_check.targets_by_profile(app, self._portal.profiles, self._portal.environ)
        if not targets:
            raise told(
                "e-elsewhere", f"no profile of this portal leads to a workspace of {app.name}",
                hint=f"its profiles are: {', '.join(self._portal.profiles)}; elsewhere: lakekey apps check {app.name}",
                app=app.name,
            )  # fmt: skip
        for target in targets:
            try:
                checked = app_check.check(app, target)
            except CredentialsRefused as error:
                raise retold("e-app-secret", error, app=app.name) from None
            except LoginFailed as error:
                raise retold("e-app-refused", error, app=app.name, redirect_uri=app.redirect_uri) from None
            said.append(self._text("app-taken", app=app.name, host=checked.host.removeprefix("https://")))
            if app.secret or checked.secret == app_check.UNTOLD:
                said.append(self._text(f"secret-{checked.secret}"))
        return " ".join(said)

    def make_default(self, form: Fields) -> str:
        """Use an app where a profile names no client id."""
        name = form.get("app", "")
        ended = self._registrations.set_default(name, with_connections=_although(form))
        said = " " + self._text("app-ended", count=str(ended)) if ended else ""
        return self._text("app-made-default", app=name) + said

    def replace_secret(self, form: Fields) -> str:
        """Replace a secret; the older one stays beside it where that is asked for."""
        name = form.get("app", "")
        self._registrations.rotate_secret(name, form.get("secret", ""), keep_older=form.get("keep_older") == "yes")
        beside = " " + self._text("secret-beside") if self._registrations.get(name).older_secret else ""
        return self._text("secret-replaced", app=name) + beside

    def forget_older_secret(self, form: Fields) -> str:
        """End the change of a secret."""
        name = form.get("app", "")
        self._registrations.forget_older_secret(name)
        return self._text("secret-forgotten", app=name)

    def remove_app(self, form: Fields) -> str:
        """Remove an app; with connections only where the page has said that there are some."""
        name = form.get("app", "")
        count = self._registrations.remove(name, with_connections=_although(form))
        ended = " " + self._text("app-connections-end", count=str(count)) if count else ""
        return self._text("app-removed", app=name) + ended

    def remove_connection(self, form: Fields) -> str:
        """Remove one connection of a person."""
        return self._removed(self._everyone.remove_one(form.get("entry", "")))

    def remove_person(self, form: Fields) -> str:
        """Remove all connections of a person who leaves."""
        removed = self._everyone.remove(User(form.get("user", ""), form.get("user_id", "")))
        return " ".join(map(self._removed, removed))

    def _removed(self, removal: Removal) -> str:
        told = self._text(
            "removed",
            user=removal.user,
            profile=removal.profile,
            revocation=self._text(f"was-{(removal.revocation or 'not-asked').replace(' ', '-')}"),
        )
        if not removal.schedules:
            return told
        return f"{told} {self._text('depended', schedules=', '.join(removal.schedules))}"

    def _text(self, key: str, **values: str) -> str:
        return words.text(self._language, key, **values)


_ACTS: Mapping[str, Callable[[Administrator, Fields], str]] = {
    "add": Administrator.add,
    "set": Administrator.change,
    "check": Administrator.check,
    "default": Administrator.make_default,
    "secret": Administrator.replace_secret,
    "forget-secret": Administrator.forget_older_secret,
    "remove-app": Administrator.remove_app,
    "remove": Administrator.remove_connection,
    "remove-user": Administrator.remove_person,
}
#: What can be asked for, by the form's field ``do``.
ACTIONS = frozenset(_ACTS)


def _although(form: Fields) -> bool:
    """Whether it is to be done although connections end by it."""
    return form.get("with_connections") == "yes"


def _fields(form: Fields) -> dict[str, Any]:
    """What an app is registered with, and may be changed in; the address of metadata is on another machine."""
    return {
        "name": form.get("name", "").strip(),
        "hosts": tuple(form.get("host", "").replace(",", " ").split()),
        "account_id": form.get("account_id", "").strip() or None,
        "discovery_url": _https(form.get("discovery_url", "").strip()),
        "issuer": form.get("issuer", "").strip() or None,
        "scopes": tuple(form.get("scopes", "").replace(",", " ").split()) or DEFAULT_SCOPES,
        "refresh_token_lifetime_in_minutes": _minutes(form.get("refresh_token_minutes", "")),
        "absolute_session_lifetime_in_minutes": _minutes(form.get("session_minutes", "")),
    }


def _https(address: str) -> str | None:
    """An address on another machine; plain http is for loopback, which a visitor has no business with."""
    if address and not address.startswith("https://"):
        raise told(
            "e-https", f"{address[:80]!r} is not an https address", hint="give the metadata's https://…",
            address=address[:80],
        )  # fmt: skip
    return address or None


def _minutes(text: str) -> float | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 9):
        raise told(
            "e-minutes", f"{text[:20]!r} is not a number of minutes",
            hint="give the lifetime as registered at the server, or nothing", typed=text[:20],
        )  # fmt: skip
    return float(text)
