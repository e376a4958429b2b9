"""Where tests reach behind a provider: the one place that knows how."""

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
