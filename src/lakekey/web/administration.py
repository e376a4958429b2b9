"""The administrator's page: app registrations, and the connections of all users. To all others it is not there."""

from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lakekey import _log
from lakekey.cache.app_registrations import DEFAULT_SCOPES, AppRegistration
from lakekey.errors import CacheError, ConfigurationError, StoreUnavailable
from lakekey.web import browser as browsers
from lakekey.web import frame, pages, threads, words
from lakekey.web.everyone import Everyone, Held, Removal
from lakekey.web.frame import say
from lakekey.web.pages import Form, Message
from lakekey.web.people import User
from lakekey.web.registrations import Registrations
from lakekey.web.visits import Visits

_FIELDS = ("name", "client_id", "host", "secret", "scopes")
_ACTIONS = ("add", "default", "secret", "remove-app", "remove", "remove-user")
#: Changes may wait for any authorization server, so they have a few threads of their own.
_ADMINISTRATION = "administration"


class Administration(Visits):
    """The routes of those who administer."""

    def all(self) -> list[Route]:
        """The routes."""
        return [Route("/admin", self.show, methods=["GET"]), Route("/admin", self.change, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """The page."""
        user = await self.user(request)
        if user is None or not await self.is_admin(user):
            return self.not_found(request)
        return await self._page(request, user)

    async def change(self, request: Request) -> Response:
        """One change, by a form of the page."""
        ready = await self.changing(request)
        if isinstance(ready, Response):
            return ready
        user, form, _ = ready
        if not await self.is_admin(user):
            return self.not_found(request)
        _log.info("web", "%s administers: %s", user.name, form.get("do", "") if form.get("do") in _ACTIONS else "?")
        try:
            said = await threads.run(_ADMINISTRATION, self._change, self.language(request), form, user)
        except StoreUnavailable:
            return self.store_away(request)
        except CacheError as error:  # told as it is: a part may be done, or an entry cannot be read
            return await self._page(request, user, Message(error.message, good=False), 503)
        except ConfigurationError as error:
            return await self._page(request, user, Message(error.message, good=False), 409)
        return await self._page(request, user, Message(said, good=True))

    def _change(self, language: str, form: dict[str, str], actor: User) -> str:
        registrations = Registrations(self._portal.cache, actor=actor.name)
        everyone = Everyone(self._portal, actor=actor.name)
        action, name = form.get("do", ""), form.get("app", "")
        removed: list[Removal] = []
        if action == "add":
            self._add(registrations, form)
        elif action == "default":
            registrations.set_default(name)
        elif action == "secret":
            registrations.rotate_secret(name, form.get("secret", ""))
        elif action == "remove-app":
            registrations.remove(name, with_connections=form.get("with_connections") == "yes")
        elif action == "remove":
            removed = [everyone.remove_one(form.get("entry", ""))]
        elif action == "remove-user":
            removed = everyone.remove(User(form.get("user", ""), form.get("user_id", "")))
        else:
            raise ConfigurationError("there is no such action", hint="open the page again")
        told = [_told(language, each) for each in removed]
        return " ".join(told) or words.text(language, "done")

    def _add(self, registrations: Registrations, form: dict[str, str]) -> None:
        name = form.get("name", "").strip()
        registrations.add(
            AppRegistration(
                name,
                form.get("client_id", "").strip(),
                hosts=tuple(form.get("host", "").split()),
                scopes=tuple(form.get("scopes", "").replace(",", " ").split()) or DEFAULT_SCOPES,
                secret=form.get("secret", "").strip(),
                redirect_uri=self._portal.redirect_uri(name),
            )
        )

    async def _page(self, request: Request, user: User, message: Message | None = None, status: int = 200) -> Response:
        value = self.browser(request) or browsers.new_value()
        form = Form(self._portal.path, browsers.form_token(value, user.name))
        try:
            body = await threads.run(threads.STORE, self._body, self.language(request), form, message)
        except CacheError:
            return self.store_away(request)
        language = self.language(request)
        shown = frame.page(language, say(language, "administration"), body)
        return self.page(request, shown, status, cookie=self._cookie(request, value))

    def _body(self, language: str, form: Form, message: Message | None) -> str:
        registrations = self._portal.registrations
        apps = [(app, len(registrations.connections_of(app, strict=False))) for app in registrations.all()]
        listed = "".join(_app(language, app, count, form) for app, count in apps)
        held = Everyone(self._portal).all()
        people = "".join(_held(language, each, form) for each in held)
        people_of = list(dict.fromkeys((each.user, each.user_id) for each in held))
        namesakes = {name for name, unique in people_of if sum(name == other for other, _ in people_of) > 1}
        leavers = "".join(
            form.button(
                "admin",
                words.text(language, "remove-user", user=f"{name} ({unique})" if name in namesakes else name),
                do="remove-user",
                user=name,
                user_id=unique,
            )
            for name, unique in people_of
        )
        return (
            f"{pages.message_box(message)}<h2>{say(language, 'apps')}</h2>"
            + (f"<ul>{listed}</ul>" if listed else f"<p>{say(language, 'no-apps')}</p>")
            + _new_app(language, form)
            + f"<h2>{say(language, 'everyone')}</h2>"
            + (f"<ul>{people}</ul>{leavers}" if people else f"<p>{say(language, 'no-connections')}</p>")
            + f'<p><a href="{escape(form.base)}/">{say(language, "back")}</a></p>'
        )


def _told(language: str, removal: Removal) -> str:
    revocation = removal.revocation or words.text(language, "not-asked")
    told = words.text(language, "removed", user=removal.user, profile=removal.profile, revocation=revocation)
    if not removal.schedules:
        return told
    return f"{told} {words.text(language, 'depended', schedules=', '.join(removal.schedules))}"


def _app(language: str, app: AppRegistration, count: int, form: Form) -> str:
    """An app: what it is, and what can be done with it. Its secret is shown nowhere."""
    secret = "secret-two" if app.older_secret else "secret-one" if app.secret else "secret-none"
    facts = say(
        language,
        "app-facts",
        client=app.client_id,
        workspaces=", ".join(app.hosts) or str(app.account_id),
        redirect_uri=app.redirect_uri,
        secret=words.text(language, secret),
        count=str(count),
    )
    shown = [f"<li><h3>{escape(app.name)}</h3><p>{facts}</p>"]
    if app.of_profile:  # it follows its profile, and nothing of it is changed here
        return f"{shown[0]}</li>"
    if app.is_default:
        shown.append(f"<p><strong>{say(language, 'is-default')}</strong></p>")
    else:
        label = words.text(language, "make-default", app=app.name)
        shown.append(form.button("admin", label, do="default", app=app.name))
    field = f"secret-{app.name}"
    shown.append(
        f'<form method="post" action="{escape(form.base)}/admin">{_hidden(form, do="secret", app=app.name)}'
        f'<label for="{escape(field)}">{say(language, "new-secret", app=app.name)}</label>'
        f'<input type="password" id="{escape(field)}" name="secret" autocomplete="off" required>'
        f"<button>{say(language, 'replace-secret', app=app.name)}</button></form>"
    )
    label = words.text(language, "remove-app-anyway" if count else "remove-app", app=app.name)
    shown.append(form.button("admin", label, do="remove-app", app=app.name, with_connections="yes" if count else "no"))
    return "".join([*shown, "</li>"])


def _new_app(language: str, form: Form) -> str:
    fields = "".join(_field(language, name) for name in _FIELDS)
    return (
        f"<h3>{say(language, 'add-app')}</h3>"
        f'<form method="post" action="{escape(form.base)}/admin">{_hidden(form, do="add")}{fields}'
        f"<button>{say(language, 'add')}</button></form>"
    )


def _field(language: str, name: str) -> str:
    kind = "password" if name == "secret" else "text"
    value = escape(" ".join(DEFAULT_SCOPES)) if name == "scopes" else ""
    required = " required" if name in ("name", "client_id", "host") else ""
    return (
        f'<label for="new-{name}">{say(language, f"field-{name}")}</label>'
        f'<input type="{kind}" id="new-{name}" name="{name}" value="{value}" autocomplete="off"{required}>'
    )


def _held(language: str, held: Held, form: Form) -> str:
    connection = held.connection
    key = "held" if held.offered else "held-old"
    state = words.text(language, f"state-{connection.state}", when="")
    text = say(language, key, user=held.user, profile=held.profile, who=connection.who or "?", state=state)
    if connection.schedules:
        text += f" {say(language, 'schedules')}: {escape(', '.join(connection.schedules))}."
    label = words.text(language, "remove-held", profile=held.profile, user=held.user)
    return f"<li><p>{text}</p>{form.button('admin', label, do='remove', entry=held.entry_id)}</li>"


def _hidden(form: Form, **fields: str) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in {"token": form.token, **fields}.items()
    )
