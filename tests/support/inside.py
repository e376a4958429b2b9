"""Where tests reach behind a provider: the one place that knows how."""

from typing import Any

from lakekey.cache.entry import Entry
from lakekey.providers.hot_path import SessionSource
from lakekey.providers.provider import Provider
from lakekey.session.session import Session


def source_of(provider: Provider) -> SessionSource:
    """The session's snapshot that a provider hands headers out from."""
    source = provider._source
    assert isinstance(source, SessionSource)
    return source


def session_of(provider: Provider) -> Session:
    """The session behind a provider."""
    return source_of(provider)._session


def entry_of(provider: Provider) -> Entry | None:
    """The entry of a provider's session as the store has it."""
    return session_of(provider).peek()


def change_entry(session: Session, **fields: Any) -> Entry:
    """Does to a session's entry what another process would; returns what it has become."""
    stored = session.cache.read(session.entry_id)
    assert stored.entry is not None
    changed = session.cache.put(session.entry_id, stored.entry._replace(**fields), replaces=stored.envelope)
    assert changed is not None
    assert changed.entry is not None
    return changed.entry


def age_token(provider: Provider, seconds: float = 600.0) -> Entry:
    """Lets the token in the cache have been issued a while ago; returns its entry."""
    entry = entry_of(provider)
    assert entry is not None
    return change_entry(session_of(provider), issued_at=entry.issued_at - seconds)
