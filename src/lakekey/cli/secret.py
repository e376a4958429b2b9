"""``lakekey secret``: client secrets sealed in the cache instead of in clear in ``.databrickscfg``."""

import argparse
import os

from lakekey.cache.cache import Cache
from lakekey.cache.client_secrets import is_secret, put_secret, remove_secret, secret_id
from lakekey.cache.opening import open_cache
from lakekey.cli import prompt
from lakekey.cli.arguments import target_settings
from lakekey.cli.output import print_json, print_table, print_text
from lakekey.cli.provider import provider_for_target, target_of
from lakekey.configuration import databrickscfg
from lakekey.configuration.auth_type import no_person
from lakekey.configuration.target import Target, resolve
from lakekey.errors import CacheError, ConfigurationError


def secret(arguments: argparse.Namespace) -> int:
    """Set, remove or list sealed secrets."""
    if arguments.action == "list":
        return _list(arguments)
    target = client_of_profile(arguments)
    where = {"profile": target.profile, "host": target.host, "client_id": target.client_id}
    if arguments.action == "set":
        cache = seal_secret(target)
        done, text = {"sealed": True}, f"Sealed in {cache.store.where}, under the key in {cache.ring.where}."
        if _in_clear(arguments):
            text += "\nIt also stands in clear in the profile: take the line client_secret out of it."
        if copy := _copy_in_clear(target):
            text += f"\nThe copy {copy} has it in clear, too: remove that file."
        if arguments.check:
            _try(arguments, target)
            done["works"], text = True, f"{text}\nIt works: {target.host} gave a token for {target.client_id}."
    else:
        cache = open_cache(target.cache_environment(os.environ), place=target.store)
        removed = remove_secret(cache, target.host, target.account_id, target.client_id)
        if removed:
            _audit(target, cache, "secret_removed")
        done, text = {"removed": removed}, "Removed." if removed else f"There was none for {target.client_id}."
    if arguments.json:
        print_json({**where, **done})
    else:
        for line in text.split("\n"):
            print_text(line)
    return 0


def _audit(target: Target, cache: Cache, action: str) -> None:
    from lakekey.observability import audit

    audit.record(
        audit.ADMINISTRATION,
        action=action,
        who=target.client_id,
        workspace=target.host,
        profile=target.profile,
        entry=secret_id(target.host, target.account_id, target.client_id),
        store=cache.store.where,
    )


def _try(arguments: argparse.Namespace, target: Target) -> None:
    """Sign in with a secret that was just sealed; it stays sealed where that fails.

    Raises:
        ConfigurationError: It is a person's app, whose secret is tried with the next sign-in.
        LakekeyError: The server refused it, or could not be asked.
    """
    signs_in = target_of(arguments)
    if signs_in.is_person:
        raise ConfigurationError(
            "the secret is sealed, and an app's secret can only be tried by a person who signs in",
            hint=signs_in.login_command,
            profile=target.name,
        )
    provider_for_target(signs_in).token()


def client_of_profile(arguments: argparse.Namespace) -> Target:
    """The target of a command whose client secret is still missing.

    Raises:
        ConfigurationError: It names no client, or something else is wrong with it.
    """
    target = resolve(arguments.profile, **target_settings(arguments), client_secret="(asked for)")
    if "client_id" not in target.sources:
        raise ConfigurationError(
            "client_id is missing, so the secret belongs to no app",
            hint="set client_id in the profile",
            profile=target.name,
        )
    return target


def seal_secret(target: Target) -> Cache:
    """Ask for a client's secret without echo, and seal it. Returns the cache that keeps it.

    Raises:
        ConfigurationError: Nothing was typed; or the profile names a person, and would not sign in with a secret.
        CacheError: It could not be stored.
    """
    if target.user and not target.is_person and "auth_type" not in target.sources:
        raise no_person(target.user, target.sources["user"], target.auth_type, target.name)
    cache = open_cache(
        target.cache_environment(os.environ), place=target.store
    )  # a cache that cannot be used is said before anybody types a secret
    typed = prompt.ask_secret(f"Client secret of {target.client_id} at {target.host}: ")
    if not typed:
        raise ConfigurationError("no secret was typed", hint="try again, or pipe it in", profile=target.name)
    if not typed.isprintable():
        raise ConfigurationError("the secret contains a control character", hint="type it again", profile=target.name)
    put_secret(cache, target.host, target.account_id, target.client_id, typed)
    _audit(target, cache, "secret_set")
    return cache


def _in_clear(arguments: argparse.Namespace) -> bool:
    try:
        return resolve(arguments.profile, **target_settings(arguments)).sources.get("client_secret") == "profile"
    except ConfigurationError:
        return False


def _copy_in_clear(target: Target) -> str | None:
    """The copy of the profiles' file from before its last change, where that still holds the client's secret."""
    copy = f"{os.path.realpath(target.config_file)}.bak" if target.config_file else ""
    if not os.path.isfile(copy):
        return None
    try:
        found, _ = databrickscfg.profiles(copy)
    except ConfigurationError:
        return None
    ours = (each.values for each in found if each.values.get("client_id") == target.client_id)
    return copy if any(values.get("client_secret") for values in ours) else None


def _list(arguments: argparse.Namespace) -> int:
    cache = open_cache()
    entries = []
    for _, stored in cache.walk():
        if isinstance(stored, CacheError):  # one entry that does not open spoils no list
            prompt.tell(f"lakekey: {stored}")
        elif stored.entry is not None and is_secret(stored.entry):
            entries.append(stored.entry)
    names = ("host", "account_id", "client_id")
    facts = [{name: entry.about.get(name) for name in names} for entry in entries]
    if arguments.json:
        print_json(facts)
    elif facts:
        print_table(("HOST", "CLIENT"), [(str(each["host"]), str(each["client_id"])) for each in facts])
    else:
        print_text("No client secret is sealed here. Start with: lakekey secret set PROFILE")
    return 0
