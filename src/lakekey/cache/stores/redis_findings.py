"""What a Redis or Valkey server promises: that it evicts nothing, writes to disk, and is the primary."""

from collections.abc import Callable, Iterator
from typing import Any

from lakekey.cache.stores.findings import FAILED, OK, WARNING, Finding, shown
from lakekey.errors import CacheError, StoreUnavailable

_ASYNC_LOSS = "a fail-over may lose the answers of the last moment, each a session where refresh tokens are single-use"


def findings(ask: Callable[..., Any], *, encrypted: bool) -> Iterator[Finding]:
    """Look at the server.

    Args:
        ask: Sends a command, and returns its reply.
        encrypted: Whether it is spoken to by TLS.

    Raises:
        StoreUnavailable: It cannot be reached.
    """
    try:
        facts = _facts(ask("INFO", "memory")) | _facts(ask("INFO", "persistence")) | _facts(ask("INFO", "replication"))
    except StoreUnavailable:
        raise
    except CacheError as error:
        yield Finding("server", WARNING, f"its settings cannot be read: {error.message}", "allow INFO")
        return
    policy = shown(facts.get("maxmemory_policy", "noeviction"))
    evicts = policy.startswith("allkeys")
    step = "set maxmemory-policy to noeviction, or to one of volatile-*" if evicts else None
    yield Finding("eviction", FAILED if evicts else OK, f"maxmemory-policy is {policy}", step)
    replica = facts.get("role") not in (None, "master")
    step = "name the primary in LAKEKEY_STORE" if replica else None
    yield Finding("writes", FAILED if replica else OK, "it is a replica" if replica else "it is the primary", step)
    durable = facts.get("aof_enabled") == "1"
    step = None if durable else "set appendonly yes and appendfsync always; or use PostgreSQL"
    said = "append-only file" if durable else "no append-only file: a restart brings older refresh tokens back"
    yield Finding("durability", OK if durable else WARNING, said, step)
    replicas = shown(facts.get("connected_slaves") or "0")
    yield Finding("replication", OK, f"{replicas} replicas; {_ASYNC_LOSS}" if replicas != "0" else "none")
    yield Finding("encryption", OK, "TLS" if encrypted else "none, to loopback")


def _facts(answer: Any) -> dict[str, str]:
    """What ``INFO`` says, by name."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, mark, value in pairs if mark}
