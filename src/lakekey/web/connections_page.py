"""The page of a user's connections."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from lakekey import _moments
from lakekey.web import connections, words
from lakekey.web.connections import Connection
from lakekey.web.frame import page, say, spelled, time_element
from lakekey.web.pages import Form, Message, fragment, message_box, quotation, way


def overview(
    language: str,
    user: str,
    listed: Iterable[Connection],
    form: Form,
    *,
    message: Message | None = None,
    extra: str = "",
    now: float | None = None,
) -> bytes:
    """The page of a user's connections.

    Args:
        language: ``en`` or ``de``.
        user: Who is at the browser.
        listed: The connections.
        form: What the forms carry.
        message: What has just happened.
        extra: Further HTML at the end, such as a link to the administrator's page.
        now: The time by which its dates are, in epoch seconds; ``None`` for the clock's.
    """
    at = datetime.now(UTC) if now is None else _moments.utc(now)
    items = "".join(_item(language, each, form, at) for each in listed)
    shown = f"<ul>{items}</ul>" if items else f"<p>{say(language, 'nothing')}</p>"
    if form.new_tab:
        here = f"{escape(form.base)}/"
        shown += f'<noscript><p><a href="{here}">{say(language, "look-again")}</a></p></noscript>'
        shown += f'<script src="{here}tab.js" defer></script>'
    body = f'{message_box(message)}<p class="quiet">{say(language, "you", user=user)}</p>{shown}{extra}'
    return page(language, say(language, "title"), body)


def administration_link(language: str, base: str) -> str:
    """A link to the administrator's page, for the end of the page of connections."""
    return f'<p><a href="{escape(base)}/admin">{say(language, "administration")}</a></p>'


def _item(language: str, connection: Connection, form: Form, now: datetime) -> str:
    name, place = escape(connection.profile), escape(fragment(connection.profile))
    parts = [
        f'<li id="{place}"{f" data-state={connection.state}" if form.new_tab else ""}><h2>{name}</h2>',
        state(language, connection, now),
        _why(language, connection),
        _facts(language, connection),
        _schedules(language, connection),
        _buttons(language, connection, form),
        "</li>",
    ]
    return "".join(parts)


def state(language: str, connection: Connection, now: datetime) -> str:
    """How a connection stands, in words and in a colour."""
    kind = {connections.CONNECTED: "good", connections.ENDS_SOON: "warn", connections.TRY_LATER: "warn"}
    colour = kind.get(connection.state, "quiet" if connection.state == connections.NOT_CONNECTED else "bad")
    return f'<p class="state {colour}">{_state(language, connection, now)}</p>'


def _state(language: str, connection: Connection, now: datetime) -> str:
    ends_at = connection.ends_at
    if connection.state == connections.CONNECTED and ends_at is not None:
        return _with_time(language, "connected-until", ends_at)
    if connection.state == connections.ENDS_SOON and ends_at is not None:
        when = words.from_now(language, ends_at, now)
        return say(language, f"state-{connections.ENDS_SOON}", when=when)
    return say(language, f"state-{connection.state}")


def _why(language: str, connection: Connection) -> str:
    since = connection.since
    if not connection.is_set_up:
        return f"<p>{say(language, 'e-not-set-up', of=connection.profile)}</p>{quotation(connection.why)}"
    key = f"why-{connection.state}"
    if not words.has(key) or since is None:
        return ""
    who = spelled(connection.who or "?")
    told = _with_time(language, key, since, who=who, app=connection.registration)
    ended = connection.state == connections.SIGN_IN_AGAIN and not connection.why
    more = f" {say(language, 'why-ended')}" if ended else ""
    return f"<p>{told}{more}</p>{quotation(connection.why if connection.state != connections.TRY_LATER else '')}"


def _facts(language: str, connection: Connection) -> str:
    uses = {(): "neither", ("sql",): "sql", ("cluster",): "cluster"}.get(connection.uses, "both")
    rows = [("workspace", escape(connection.host.removeprefix("https://")))]
    if connection.is_set_up:
        rows.append(("use", say(language, uses)))
    if connection.who and connection.state != connections.NOT_CONNECTED:
        rows.append(("as", escape(spelled(connection.who))))
    if connection.connected_at is not None and connection.state in connections.USABLE:
        rows.append(("since", time_element(language, connection.connected_at)))
    if connection.ends_at is not None and connection.state == connections.ENDS_SOON:
        rows.append(("until", time_element(language, connection.ends_at)))
    return "<dl>" + "".join(f"<dt>{say(language, key)}</dt><dd>{value}</dd>" for key, value in rows) + "</dl>"


def _schedules(language: str, connection: Connection) -> str:
    if connection.principal is not None:
        return f'<p class="quiet">{say(language, "principal", principal=connection.principal)}</p>'
    if connection.schedules is None:
        return f'<p class="quiet">{say(language, "no-principal")}</p>'
    if not connection.schedules:
        return ""
    named = ", ".join(map(spelled, connection.schedules))
    return f'<p class="note">{say(language, "relied-on", schedules=named)}</p>'


def _buttons(language: str, connection: Connection, form: Form) -> str:
    profile, state = connection.profile, connection.state
    if not connection.is_set_up:
        return ""
    key = {
        connections.NOT_CONNECTED: "connect",
        connections.CONNECTED: "renew",
        connections.ENDS_SOON: "renew",
    }.get(state, "reconnect")
    needed = state in (connections.NOT_CONNECTED, connections.ENDS_SOON, connections.SIGN_IN_AGAIN)
    label = words.text(language, key, profile=profile)
    if form.new_tab:
        label = words.text(language, "in-new-tab", label=label)
    shown = [form.button(way("connect", profile), label, first=needed, leaves=True)]
    if state != connections.NOT_CONNECTED:
        shown.append(form.button(way("connect", profile), words.text(language, "test", profile=profile), test="yes"))
        shown.append(form.button(way("disconnect", profile), words.text(language, "disconnect", profile=profile)))
    return "".join(shown)


def _with_time(language: str, key: str, moment: datetime, **values: str) -> str:
    """A text with a time in it, which is marked as one."""
    return say(language, key, date="\0", **values).replace("\0", time_element(language, moment))
