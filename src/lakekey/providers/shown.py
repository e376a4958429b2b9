"""A provider as a notebook shows it."""

from html import escape

from lakekey import _moments
from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target
from lakekey.session.expiry import session_end
from lakekey.session.inventory import identity_of, state_of


def as_html(target: Target, entry: Entry | None) -> str:
    """What a notebook shows of a provider: who, where, and until when; never a token.

    Args:
        target: What it signs in to.
        entry: Its session as it is stored, or ``None``.
    """
    rows = {"workspace": target.host, "profile": target.profile, "signs in by": target.auth_type}
    entry = entry or Entry(target.description())
    end = session_end(entry) or entry.expires_at
    ends = _moments.local(_moments.utc(end)).strftime("%Y-%m-%d %H:%M %Z") if end else None
    name = "session until" if session_end(entry) else "token until"
    rows |= {"as": identity_of(entry), "state": state_of(entry), name: ends}
    cells = "".join(
        f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in rows.items()
        if value
    )
    return f"<table><caption>lakekey</caption>{cells}</table>"
