"""Providers over one cache, with a `support.model.ModelServer` in the network's place."""

import os

from lakekey.cache.cache import Cache
from lakekey.cache.keys.ring import KeyRing, key_id
from lakekey.cache.stores.memory import MemoryStore
from lakekey.cache.stores.store import Store
from lakekey.configuration.target import Target, resolve
from lakekey.providers.provider import Provider
from lakekey.session.renewal import Renewal
from lakekey.session.timing import Timing
from support.inside import session_of
from support.model import ModelServer

AT_ONCE = Timing(first_pause=0.0, write_patience=0.0)
TARGET = resolve(None, {}, host="https://model.example.com")


def cache_over(store: Store | None = None) -> Cache:
    """A cache in a store, or in memory."""
    key = os.urandom(32)
    return Cache(store or MemoryStore(), KeyRing({key_id(key): key}, key_id(key), "memory", "the test"))


def provider_over(
    cache: Cache, server: ModelServer, *, person: bool = False, target: Target = TARGET, timing: Timing = AT_ONCE
) -> Provider:
    """A provider as a new process has it.

    Args:
        cache: What it shares with the others.
        server: The server that it asks.
        person: Whether a person is there to sign in.
        target: What it signs in to.
        timing: How long its steps take.
    """
    provider = Provider(target, cache=cache, interactive="browser" if person else "never", timing=timing)
    session = session_of(provider)
    session._renewal = Renewal(session.credential, session.queue, server, server.sign_in if person else None)
    session._assembled_for = (os.getpid(), session.cache)
    return provider
