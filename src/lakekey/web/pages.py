"""The pages of a sign-in, and what all pages share: messages, and forms that are one button.

Plain HTML in the look of the page that ends a sign-in on the command line. Words say what a colour says.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from lakekey.errors import LakekeyError
from lakekey.web import outcomes, words
from lakekey.web.frame import page, say, spelled, time_element
from lakekey.web.outcomes import Outcome
from lakekey.web.told import text_of

_NONE: Mapping[str, str] = {}
#: Kinds of errors, by code, after which neither a new sign-in nor time helps.
_FOR_ADMINISTRATORS = frozenset(
    {"configuration", "login_failed", "credentials_refused", "cache", "key_unavailable", "cache_write_failed"}
)


class Message(NamedTuple):
    """What has just happened, at the top of a page.

    Attributes:
        text: The sentence, not escaped yet.
        good: Whether it is good news; ``None`` if it is neither.
        quoted: What the server or a lower layer says, in English.
    """

    text: str
    good: bool | None = None
    quoted: str = ""


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
        f"<p>{say(language, 'who', user=user, who=who, expected=expected)} {say(language, 'who-reconnect')}</p>"
        f"{''.join(f'<p>{escape(each)}</p>' for each in written_out(language, user, who, expected))}</div>"
        + form.button(action, words.text(language, "decline", who=spelled(who)), first=True, flow=handle, accept="no")
        + form.button(action, words.text(language, "accept", who=spelled(who)), flow=handle, accept="yes")
    )
    return page(language, say(language, "who-title"), body)


def written_out(language: str, *names: str) -> list[str]:
    """What tells names apart that look alike: those with letters beyond ASCII, by the numbers of these letters."""
    return [
        words.text(
            language, "written-out", name=spelled(name), letters=name.encode("ascii", "backslashreplace").decode()
        )
        for name in dict.fromkeys(names)
        if not name.isascii()
    ]


def notice(
    language: str,
    title: str,
    more: str,
    values: Mapping[str, str] = _NONE,
    *,
    base: str = "",
    reload: bool = False,
    quoted: str = "",
) -> bytes:
    """A page that says one thing.

    Args:
        language: ``en`` or ``de``.
        title: The key of the title.
        more: The key of the text.
        values: What is filled in.
        base: Where the connections are, for a link to them; ``""`` for no link.
        reload: Whether to offer the same address again.
        quoted: What a lower layer says, in English.
    """
    links = f'<p><a href="">{say(language, "again")}</a></p>' if reload else ""
    links += f'<p><a href="{escape(base)}/">{say(language, "back")}</a></p>' if base else ""
    said = f'<p role="status">{say(language, more, **values)}</p>{quotation(quoted)}'
    return page(language, say(language, title), said + links)


def outcome_message(language: str, outcome: Outcome, *, app: str, redirect_uri: str) -> Message:
    """What a page says of an outcome."""
    values = {
        "who": spelled(outcome.who or "?"),
        "expected": spelled(outcome.expected or "?"),
        "detail": outcome.detail,
        "app": app,
        "redirect_uri": redirect_uri,
        "profile": outcome.profile,
    }
    if outcome.code == outcomes.CONNECTED:
        return Message(words.text(language, "is-connected", **values), good=True)
    key = outcome.code if words.has(outcome.code) else outcomes.INTERRUPTED
    good = None if outcome.code == outcomes.KEPT else False
    quoted = outcome.detail if outcome.code == outcomes.BAD_METADATA else ""
    told = words.text(language, key, **values)
    if outcome.code == outcomes.OTHER_USER:
        told = " ".join([told, *written_out(language, outcome.who or "", outcome.expected or "")])
    return Message(told, good=good, quoted=quoted)


def message_box(message: Message | None) -> str:
    """What has just happened, as HTML; nothing where nothing has."""
    if message is None:
        return ""
    kind = {True: " good", False: " bad", None: ""}[message.good]
    role = "alert" if message.good is False else "status"
    # Focus goes to what has just happened, also without a script.
    said = f"<p>{escape(message.text)}</p>{quotation(message.quoted)}"
    return f'<div class="message{kind}" role="{role}" tabindex="-1" autofocus>{said}</div>'


def quotation(words_of_others: str) -> str:
    """What a server or a lower layer says, marked as English for those who listen (WCAG 2.2, 3.1.2)."""
    return f'<p class="quiet" lang="en">{escape(spelled(words_of_others))}</p>' if words_of_others else ""


def facts(language: str, given: Iterable[tuple[str, str]]) -> str:
    """Facts that are there, by the keys of their names; the values are HTML."""
    rows = "".join(f"<dt>{say(language, key)}</dt><dd>{value}</dd>" for key, value in given if value)
    return f"<dl>{rows}</dl>"


def fold(summary: str, inside: str, *, is_open: bool = False) -> str:
    """What lies behind a word; both are HTML."""
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary><div>{inside}</div></details>"


def time_if_known(language: str, moment: datetime | None) -> str:
    """A time in words; ``""`` if it is not known."""
    return time_element(language, moment) if moment is not None else ""


def error_message(language: str, error: LakekeyError, *, to_administrator: bool = False) -> Message:
    """What a page says of an error: of one of ours wholly, of others what it means, and behind it their own words.

    A lower layer's hint is for a command line, which the reader of a page does not have: it goes to the log alone.

    Args:
        language: ``en`` or ``de``.
        error: The error.
        to_administrator: Whether the reader administers the portal, and is not sent to its administrator.
    """
    if (own := text_of(error)) is not None:
        values = {name: spelled(value) for name, value in own.values.items()}
        return Message(words.text(language, own.key, **values), good=False, quoted=own.quoted)
    key = f"error-{error.code}" if words.has(f"error-{error.code}") else "error"
    said = words.text(language, key)
    if error.code in _FOR_ADMINISTRATORS:
        said += " " + words.text(language, "see-log" if to_administrator else "ask-administrator")
    return Message(said, good=False, quoted=error.message)
