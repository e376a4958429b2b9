"""``lakekey store``: set a shared store up, look at it, and move a cache from one store to another."""

import argparse
import os

from lakekey.cache import keys_of_entries
from lakekey.cache.cache import Cache
from lakekey.cache.opening import is_shared, open_cache
from lakekey.cache.stores.findings import FAILED, Finding
from lakekey.cli.output import print_json, print_table, print_text
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from lakekey.observability import audit


def store(arguments: argparse.Namespace) -> int:
    """Do what the action says; exit status 1 where a check failed, or something was left behind."""
    if arguments.action == "init":
        return _init(arguments)
    if arguments.action == "check":
        return _check(arguments)
    return _copy(arguments)


def _init(arguments: argparse.Namespace) -> int:
    cache = _shared(arguments)
    if arguments.sql:
        print(cache.store.schema(), end="")
        return 0
    cache.store.set_up()
    audit.record(audit.ADMINISTRATION, action="store_set_up", store=cache.store.where)
    if arguments.json:
        print_json({"store": cache.store.where, "ready": True})
    else:
        print_text(
            f"{cache.store.where} is ready. Give the workers' role its rights there, then run: lakekey store check"
        )
    return 0


def _check(arguments: argparse.Namespace) -> int:
    cache = _shared(arguments)
    findings = list(cache.store.examine())
    if not any(finding.status == FAILED for finding in findings):
        findings += keys_of_entries.findings(cache)
    bad = any(finding.status == FAILED for finding in findings)
    if arguments.json:
        print_json({"store": cache.store.where, "ok": not bad, "checks": [finding._asdict() for finding in findings]})
    else:
        print_table(("CHECK", "STATE", "FINDING"), [_row(finding) for finding in findings])
        for finding in findings:
            if finding.next_step:
                print()
                print_text(f"{finding.name}: {finding.next_step}")
    return 1 if bad else 0


def _row(finding: Finding) -> tuple[str, str, str]:
    return finding.name, finding.status, finding.finding


def _copy(arguments: argparse.Namespace) -> int:
    from lakekey.cache.moving import move

    if arguments.sql or arguments.profile is not None or len(arguments.place) != 2:
        raise ConfigurationError(
            "copy takes two stores", hint="lakekey store copy file: postgresql://worker@db.example.com/lakekey"
        )
    # The key that the environment names is that of one of them; the other is opened by the key that it has.
    source, target = (open_cache(place=_without_password(place), moving=True) for place in arguments.place)
    done = move(source, target)
    moved = f"{len(done.moved)} from {source.store.where}, {len(done.left)} left"
    outcome = audit.FAILED if done.left else audit.DONE
    audit.record(audit.ADMINISTRATION, action="store_moved", outcome=outcome, detail=moved, store=target.store.where)
    if arguments.json:
        print_json({**done._asdict(), "from": source.store.where, "to": target.store.where})
    else:
        print_text(f"{len(done.moved)} entries moved from {source.store.where} to {target.store.where}.")
        for name, reason in done.left:
            print_text(f"{name[:12]} stays: {reason}")
        print_text("Set LAKEKEY_STORE to the new store now. What is left in the old one cannot be renewed there.")
    return 1 if done.left else 0


def _shared(arguments: argparse.Namespace) -> Cache:
    if len(arguments.place) > 1:
        raise ConfigurationError(f"{arguments.action} takes one store", hint="give one, or none to use LAKEKEY_STORE")
    if arguments.profile is not None and not arguments.place:
        target = resolve(arguments.profile)
        if target.store and is_shared(target.store):
            return open_cache(target.cache_environment(os.environ), place=target.store)
        raise ConfigurationError(
            "the profile names no store that hosts share",
            hint="set store in it, such as postgresql://worker@db.example.com/lakekey",
            profile=arguments.profile,
        )
    place = arguments.place[0] if arguments.place else os.environ.get("LAKEKEY_STORE", "")
    if not is_shared(place.strip()):
        raise ConfigurationError(
            "no store that hosts share is named",
            hint="set LAKEKEY_STORE, such as postgresql://worker@db.example.com/lakekey",
        )
    return open_cache(place=_without_password(place) if arguments.place else place)


def _without_password(place: str) -> str:
    """An address from the command line, which every user of the machine can read."""
    credentials = place.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if ":" in credentials or "password=" in place:
        raise ConfigurationError(
            "an address with a password does not belong on the command line, where other users can read it",
            hint="leave the password out, and set PGPASSWORD, or use LAKEKEY_STORE",
        )
    return place
