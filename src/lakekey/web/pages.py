"""The pages: plain HTML in the look of the page that ends a sign-in on the command line.

No script, nothing loaded, nothing stored. Words say what a colour says. What others have given is escaped.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from lakekey.web import connections, outcomes, words
from lakekey.web.connections import Connection
from lakekey.web.outcomes import Outcome

STYLE = """
:root { color-scheme: light dark; --ink: #16202a; --paper: #ffffff; --quiet: #56626e; --line: #8b97a3;
  --good: #17703f; --warn: #8a5300; --bad: #b3261e; --fill: #1d5fa8; --on-fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf2; --paper: #12171c; --quiet: #a3b0bc; --line: #6d7a87; --good: #5fd394; --warn: #f0b357;
    --bad: #ff8a80; --fill: #9cc8f7; --on-fill: #0c1b2b; }
}
body { font: 1.05rem/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0; }
main { max-width: 42rem; margin: 0 auto; padding: 2rem 1rem 3rem; }
h1 { font-size: 1.6rem; font-weight: 600; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
p, dl { margin: .5rem 0; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); } .good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.message { border: 2px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; margin: 1rem 0; }
.message.good { border-color: var(--good); } .message.bad { border-color: var(--bad); }
.message p { color: var(--ink); }
ul { list-style: none; margin: 1rem 0; padding: 0; }
li { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 0 0 1rem; scroll-margin-top: 1rem; }
li:target { outline: 2px solid var(--fill); outline-offset: 2px; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .1rem 1rem; }
dt { color: var(--quiet); } dd { margin: 0; }
.state { font-weight: 600; }
label { display: block; } input { font: inherit; max-width: 100%; box-sizing: border-box; padding: .4rem;
  border: 1px solid var(--line); border-radius: .4rem; background: var(--paper); color: var(--ink); }
form { display: inline-block; margin: .4rem .4rem 0 0; max-width: 100%; }
button { font: inherit; min-height: 2.75rem; max-width: 100%; padding: .4rem 1rem; border-radius: .4rem;
  cursor: pointer; border: 1px solid var(--line); background: transparent; color: var(--ink); overflow-wrap: anywhere; }
button.first { background: var(--fill); border-color: var(--fill); color: var(--on-fill); font-weight: 600; }
a { color: var(--fill); }
:focus-visible { outline: 3px solid var(--fill); outline-offset: 2px; }
@media (max-width: 26rem) {
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .4rem; }
  form, button { width: 100%; }
}
@media (forced-colors: active) { button.first { border: 3px solid ButtonText; } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

#: What every answer has. A callback's address holds the code: no referrer, cache or frame (RFC 9700 §4.2.4, §4.16).
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
    "Vary": "Cookie, Accept-Language",
}

_FRAME = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">{refresh}
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""

_NONE: Mapping[str, str] = {}


class Message(NamedTuple):
    """What has just happened, at the top of a page.

    Attributes:
        text: The sentence, not escaped yet.
        good: Whether it is good news; ``None`` where it is neither.
    """

    text: str
    good: bool | None = None


class Form(NamedTuple):
    """What the forms of a page carry.

    Attributes:
        base: The path that the portal is mounted under, without a slash at its end.
        token: The form token.
        new_tab: Whether sign-ins have a tab of their own (`lakekey.web.tabs`).
    """

    base: str
    token: str
    new_tab: bool = False

    def __repr__(self) -> str:
        return f"Form({self.base})"

    def button(self, action: str, label: str, *, first: bool = False, leaves: bool = False, **fields: str) -> str:
        """A form that is one button."""
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in {"token": self.token, **fields}.items()
        )
        kind = ' class="first"' if first else ""
        tab = ' target="_blank" rel="noopener"' if leaves and self.new_tab else ""
        return (
            f'<form method="post" action="{escape(self.base)}/{escape(action)}"{tab}>{hidden}'
            f"<button{kind}>{escape(label)}</button></form>"
        )


def way(action: str, profile: str) -> str:
    """The path of an action on a connection, whatever its profile is called."""
    return f"{action}/{quote(profile, safe='')}"


def fragment(profile: str) -> str:
    """The fragment of a connection on the page, whatever its profile is called (RFC 3986 §3.5)."""
    return quote(profile, safe="")


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
    at = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
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


def leaving(language: str, host: str, url: str) -> bytes:
    """The page that leads to the authorization server; a redirect would be bound by ``form-action``."""
    link = f'<a href="{escape(url)}">{say(language, "go", host=host)}</a>'
    body = f"<p>{say(language, 'going-on')}{link}</p>"
    return page(language, say(language, "going", host=host), body, refresh=(0, url))


def moving_on(language: str, url: str, *, seconds: int = 0) -> bytes:
    """The page that leads from the callback to the second step, where the browser sends all of its cookies."""
    body = (
        f'<p role="status">{say(language, "goes-by-itself")} <a href="{escape(url)}">{say(language, "go-on")}</a></p>'
    )
    return page(language, say(language, "one-moment"), body, refresh=(seconds, url))


def question(language: str, user: str, outcome: Outcome, handle: str, form: Form) -> bytes:
    """Asks whether another person than expected is meant."""
    who, expected = outcome.who or "?", outcome.expected or user
    action = way("connect", outcome.profile)
    body = (
        f'<div class="message" role="status" tabindex="-1" autofocus>'
        f"<p>{say(language, 'who', user=user, who=who, expected=expected)} {say(language, 'who-reconnect')}</p></div>"
        + form.button(action, words.text(language, "decline", who=_spelled(who)), first=True, flow=handle, accept="no")
        + form.button(action, words.text(language, "accept", who=_spelled(who)), flow=handle, accept="yes")
    )
    return page(language, say(language, "who-title"), body)


def notice(
    language: str, title: str, more: str, values: Mapping[str, str] = _NONE, *, base: str = "", reload: bool = False
) -> bytes:
    """A page that says one thing.

    Args:
        language: ``en`` or ``de``.
        title: The key of the title.
        more: The key of the text.
        values: What is filled in.
        base: Where the connections are, for a link to them; ``""`` for no link.
        reload: Whether to offer the same address again.
    """
    links = f'<p><a href="">{say(language, "again")}</a></p>' if reload else ""
    links += f'<p><a href="{escape(base)}/">{say(language, "back")}</a></p>' if base else ""
    return page(language, say(language, title), f'<p role="status">{say(language, more, **values)}</p>{links}')


def page(language: str, title: str, body: str, *, refresh: tuple[int, str] | None = None) -> bytes:
    """A page. Title and body are HTML already."""
    onward = ""
    if refresh is not None:
        onward = f'\n<meta http-equiv="refresh" content="{refresh[0]};url={escape(refresh[1])}">'
    return _FRAME.format(language=language, title=title, body=body, style=STYLE, refresh=onward).encode()


def outcome_message(language: str, outcome: Outcome, *, app: str, redirect_uri: str) -> Message:
    """What a page says of an outcome."""
    values = {
        "who": _spelled(outcome.who or "?"),
        "expected": _spelled(outcome.expected or "?"),
        "detail": outcome.detail,
        "app": app,
        "redirect_uri": redirect_uri,
        "profile": outcome.profile,
    }
    if outcome.code == outcomes.CONNECTED:
        return Message(words.text(language, "is-connected", **values), good=True)
    key = outcome.code if words.has(outcome.code) else outcomes.INTERRUPTED
    return Message(words.text(language, key, **values), good=None if outcome.code == outcomes.KEPT else False)


def message_box(message: Message | None) -> str:
    """What has just happened, as HTML; nothing where nothing has."""
    if message is None:
        return ""
    kind = {True: " good", False: " bad", None: ""}[message.good]
    role = "alert" if message.good is False else "status"
    # Focus goes to what has just happened, also without a script.
    return f'<div class="message{kind}" role="{role}" tabindex="-1" autofocus><p>{escape(message.text)}</p></div>'


def _item(language: str, connection: Connection, form: Form, now: datetime) -> str:
    name, place = escape(connection.profile), escape(fragment(connection.profile))
    kind = {connections.CONNECTED: "good", connections.ENDS_SOON: "warn", connections.TRY_LATER: "warn"}
    colour = kind.get(connection.state, "quiet" if connection.state == connections.NOT_CONNECTED else "bad")
    parts = [
        f'<li id="{place}"{f" data-state={connection.state}" if form.new_tab else ""}><h2>{name}</h2>',
        f'<p class="state {colour}">{_state(language, connection, now)}</p>',
        _why(language, connection),
        _facts(language, connection),
        _schedules(language, connection),
        _buttons(language, connection, form),
        "</li>",
    ]
    return "".join(parts)


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
    key = f"why-{connection.state}"
    if not words.has(key) or since is None:
        return ""
    why = connection.why or words.text(language, "why-ended")
    who = _spelled(connection.who or "?")
    return f"<p>{_with_time(language, key, since, why=why, who=who, app=connection.registration)}</p>"


def _facts(language: str, connection: Connection) -> str:
    uses = {(): "neither", ("sql",): "sql", ("cluster",): "cluster"}.get(connection.uses, "both")
    rows = [
        ("workspace", escape(connection.host.removeprefix("https://"))),
        ("use", say(language, uses)),
    ]
    if connection.who and connection.state != connections.NOT_CONNECTED:
        rows.append(("as", escape(_spelled(connection.who))))
    if connection.connected_at is not None and connection.state in connections.USABLE:
        rows.append(("since", _time(language, connection.connected_at)))
    if connection.ends_at is not None and connection.state == connections.ENDS_SOON:
        rows.append(("until", _time(language, connection.ends_at)))
    return "<dl>" + "".join(f"<dt>{say(language, key)}</dt><dd>{value}</dd>" for key, value in rows) + "</dl>"


def _schedules(language: str, connection: Connection) -> str:
    if connection.principal is not None:
        return f'<p class="quiet">{say(language, "principal", principal=connection.principal)}</p>'
    if connection.schedules is None:
        return f'<p class="quiet">{say(language, "no-principal")}</p>'
    if not connection.schedules:
        return ""
    named = ", ".join(map(_spelled, connection.schedules))
    return f"<p><strong>{say(language, 'relied-on', schedules=named)}</strong></p>"


def _buttons(language: str, connection: Connection, form: Form) -> str:
    profile, state = connection.profile, connection.state
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
    return say(language, key, date="\0", **values).replace("\0", _time(language, moment))


def _time(language: str, moment: datetime) -> str:
    return f'<time datetime="{moment.isoformat(timespec="seconds")}">{escape(words.date(language, moment))}</time>'


def say(language: str, key: str, **values: str) -> str:
    """A text with its places filled in, escaped."""
    return escape(words.text(language, key, **{name: _spelled(value) for name, value in values.items()}))


def _spelled(text: str) -> str:
    """A text of others without what would turn the direction of the line or is not printed."""
    return "".join(each if each.isprintable() or each == "\0" else "\N{REPLACEMENT CHARACTER}" for each in text)
