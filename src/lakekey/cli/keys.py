"""``lakekey keys``: the ring that seals the cache, and its rotation."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from typing import Any

from lakekey.cache.cache import Cache
from lakekey.cache.opening import open_cache
from lakekey.cli.output import print_facts, print_json, print_table, print_text, when
from lakekey.configuration.target import resolve


def keys(arguments: argparse.Namespace) -> int:
    """Show the ring, or rotate it; exit status 1 where a rotation has to be run again."""
    if arguments.action == "rotate":
        return _rotate(arguments)
    cache = _cache(arguments)
    facts = _facts(cache)
    if arguments.json:
        print_json(facts)
        return 0
    if not facts["keys"] and not facts["unreadable"]:
        print_text(
            f"No key is chosen yet for {facts['store']}: the first session or secret that is sealed chooses one."
        )
        return 0
    print_facts(
        {
            "source": facts["source"],
            "where": facts["where"],
            "why": facts["why"],
            "since": when(facts["since"]),
            "kept in": facts["store"],
        }
    )
    print()
    rows = [(key["id"], "seals and opens" if key["current"] else "opens", str(key["entries"])) for key in facts["keys"]]
    print_table(("KEY", "USE", "ENTRIES"), rows)
    for line in _of_unreadable(facts):
        print()
        print_text(line)
    if len(rows) > 1:
        print()
        print_text("A rotation was started and not finished. Continue with: lakekey keys rotate")
    return 0


def _cache(arguments: argparse.Namespace, *, moving: bool = False) -> Cache:
    """The cache of this environment, or the one that a profile keeps its sessions in."""
    if arguments.profile is None:
        return open_cache(moving=moving)
    target = resolve(arguments.profile)
    return open_cache(target.cache_environment(os.environ), place=target.store, moving=moving)


def _rotate(arguments: argparse.Namespace) -> int:
    from lakekey.cache.rotation import rotate

    cache = _cache(arguments, moving=arguments.to is not None)
    done = rotate(cache, to=arguments.to)
    if arguments.json:
        print_json({**done._asdict(), "source": cache.ring.source, "where": cache.ring.where})
        return 1 if done.busy else 0
    begun = "The interrupted rotation was continued" if done.continued else "The key was rotated"
    print_text(f"{begun}: {done.current} seals now, {_count(done.resealed, 'entry', 'entries')} sealed again.")
    if done.dropped:
        print_text(f"Dropped: {', '.join(done.dropped)}.")
    if done.unused:
        print_text(f"Nothing is sealed under {', '.join(done.unused)} any more: remove it from {cache.ring.where}.")
    if done.unreadable:
        print_text(f"{_count(len(done.unreadable), 'entry', 'entries')} could not be opened, and stay as they are.")
    if done.busy:
        print_text(
            f"{_count(len(done.busy), 'entry', 'entries')} were locked by others. Continue with: lakekey keys rotate"
        )
    return 1 if done.busy else 0


def _facts(cache: Cache) -> dict[str, Any]:
    from lakekey.cache.entry import DISCOVERY_PREFIX
    from lakekey.cache.envelope import key_id_of
    from lakekey.cache.keys.choice import Damaged, raw_choice
    from lakekey.cache.keys.ring import KEY_ID_BYTES
    from lakekey.cache.keys.sources import choice_of
    from lakekey.errors import CacheError

    counts: dict[str, int] = {}
    damaged = denied = 0
    for entry_id, envelope in cache.envelopes():
        if entry_id.startswith(DISCOVERY_PREFIX) or envelope is None:  # which another process has just removed
            continue
        if isinstance(envelope, CacheError):
            denied += 1
        elif len(name := key_id_of(envelope)) < 2 * KEY_ID_BYTES:
            damaged += 1
        else:
            counts[name] = counts.get(name, 0) + 1
    ring = cache.ring
    known = sorted(ring.keys, key=lambda name: name != ring.current)
    since = None
    if cache.keys is not None:
        with contextlib.suppress(Damaged):
            choice = choice_of(cache.keys.place, raw_choice(cache.keys.place))
            since = choice.since if choice is not None else None
    return {
        "source": ring.source or None,
        "where": ring.where or None,
        "why": ring.why or None,
        "since": since or None,
        "store": cache.store.where,
        "keys": [
            {"id": name.hex(), "current": name == ring.current, "entries": counts.pop(name.hex(), 0)} for name in known
        ],
        "unreadable": sum(counts.values()) + damaged + denied,
        "damaged": damaged,
        "denied": denied,
    }


def _of_unreadable(facts: dict[str, Any]) -> Iterator[str]:
    """Why entries do not open, a sentence for each reason."""
    damaged, denied = facts["damaged"], facts["denied"]
    if elsewhere := facts["unreadable"] - damaged - denied:
        one = "entry is sealed under a key that is not here"
        yield f"{_count(elsewhere, one, 'entries are sealed under keys that are not here')}."
    if damaged:
        why = "damaged, more than 8 MiB long, or of another program: no key opens"
        yield f"{_count(damaged, f'entry is {why} it', f'entries are {why} them')}."
    if denied:
        yield f"{_count(denied, 'entry', 'entries')} cannot be read. lakekey doctor says why."


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"
