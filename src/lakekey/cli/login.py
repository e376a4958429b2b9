"""``lakekey login``."""

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING

from lakekey import _commands
from lakekey.cli import prompt
from lakekey.cli.arguments import target_settings
from lakekey.cli.next_step import first_use
from lakekey.cli.output import in_words, kept_in, print_json, print_step, print_text
from lakekey.cli.provider import nothing_is_there, provider_for_target, session_and_provider, target_of
from lakekey.configuration.layers import ARGUMENT
from lakekey.configuration.presence import NO_TERMINAL, interactive_mode, why_unattended
from lakekey.configuration.target import Target, resolve
from lakekey.errors import CacheWriteFailed, ConfigurationError, LakekeyError, LoginRequired
from lakekey.providers.provider import Provider
from lakekey.providers.token import Token
from lakekey.session import inventory
from lakekey.session.session import Session

if TYPE_CHECKING:
    from lakekey.cli.setup import Plan, Written


def login(arguments: argparse.Namespace) -> int:
    """Sign in now, and write the profile of a workspace that has none."""
    from lakekey.cli import setup

    if not arguments.check:
        setup.refuse_another_host(arguments)
    if arguments.check or arguments.if_needed:
        live = _live(arguments)
        if live is not None:
            return _tell_signed_in(arguments, *live)
        if arguments.check:
            named = _commands.profile(arguments.profile) if arguments.profile else ""
            raise LoginRequired("not signed in", hint=f"run: lakekey login {named}".rstrip())
    plan = setup.plan(arguments)
    try:
        return _sign_in(arguments, plan)
    except LakekeyError as error:
        setup.complete_hint(error, arguments, plan)
        raise


def _sign_in(arguments: argparse.Namespace, plan: "Plan | None") -> int:
    from lakekey.cli import setup

    session, provider = _provider_with_secret(arguments)
    _require_person(session)  # before anything is made: a run that cannot sign in leaves no key and no file behind
    session.cache.begin()
    with session.cache.store.lock(session.entry_id):
        _require_keeping(session)  # a full disk is found before a browser opens
    _tell_if_signed_in(session)
    try:
        token = provider.login(switch=arguments.switch)
    except LoginRequired as error:
        raise _with_a_step_that_is_possible(error) from None
    _require_keeping(session)
    if not arguments.json:
        _tell(session, provider)
    written = setup.finish(arguments, plan, provider) if plan is not None else None
    if arguments.json:
        _print_facts(arguments, session, provider, token, written)
    else:
        _tell_next(arguments, provider.target, written)
    return 0


def _print_facts(
    arguments: argparse.Namespace, session: Session, provider: Provider, token: Token, profile: "Written | None"
) -> None:
    target, cache = provider.target, session.cache
    who = provider.identity()
    leads_here = profile is not None or _change_to_lead_here(arguments, target) is None
    name = profile.name if profile else target.profile if leads_here else None
    facts: dict[str, object] = {
        "profile": name,
        "host": target.host,
        "auth_type": target.auth_type,
        "identity": who,
        "group_id": target.group_id,
        "scopes": list(token.scopes),
        "expiry": token.expires_at.isoformat(),
        "store": cache.store.where,
        "key_source": cache.ring.source,
    }
    if profile:
        facts |= {"config_file": profile.path, "settings": dict(profile.values)}
    print_json(facts)


def _tell(session: Session, provider: Provider) -> None:
    target, cache = provider.target, session.cache
    who = provider.identity()
    role = f", in the role of group {target.group_id}" if target.group_id else ""
    print_text(f"Signed in to {target.host}" + (f" as {who}{role}." if who else f"{role}."))
    if not target.is_delegated:  # the SDK keeps its own tokens, in memory
        print_text(kept_in(cache.store.where, cache.ring.source, cache.ring.where))
    sys.stdout.flush()  # before the questions that may follow


def _tell_next(arguments: argparse.Namespace, target: Target, profile: "Written | None") -> None:
    if profile is None and (change := _change_to_lead_here(arguments, target)) is not None:
        print_text(f"The profile {arguments.profile} alone does not lead to this session.")
        print()
        print_step("To have it lead here:", change)
        return
    name, warehouse = target.profile, target.http_path
    if profile:
        default = ", the default one" if profile.is_default else ""
        print_text(f"Profile {profile.name}{default}, written to {profile.path}.")
        name, warehouse = profile.name, profile.values.get("warehouse_id")
    if name is None and (known := inventory.profiles_of(target, os.environ)):
        name, one = next(iter(known.items()))
        warehouse = one.http_path
        if target.sources.get("host") == ARGUMENT:
            print_text(f"The profile {name} also leads to this session.")
    print()
    if name is None and target.is_person:
        print_step("To give it a name:", f"lakekey profiles add NAME --host {_commands.word(target.host)}")
    else:
        print(f"Next: {first_use(name, warehouse=bool(warehouse))}")


def _change_to_lead_here(arguments: argparse.Namespace, target: Target) -> str | None:
    """The command that puts into a profile what was given beside it, where the session is another one by that."""
    given = {name: value for name, value in target_settings(arguments).items() if name != "config_file"}
    if arguments.profile is None or not given:
        return None
    # The sign-in has worked, even if the profile's own secret is sealed under a key that is not here.
    with contextlib.suppress(LakekeyError):
        alone = resolve(arguments.profile, config_file=arguments.config_file)
        if alone.cache_key_fields() == target.cache_key_fields():
            return None
    options = [f"--{name.replace('_', '-')} {_commands.word(value)}" for name, value in given.items()]
    if arguments.config_file is not None:
        options.append(f"--config-file {_commands.word(arguments.config_file)}")
    return " ".join(["lakekey profiles add", _commands.profile(arguments.profile), *options, "--replace"])


def _live(arguments: argparse.Namespace) -> tuple[Provider, Token] | None:
    """The session that is there and can be used without a person."""
    if arguments.check and nothing_is_there(arguments):
        raise LoginRequired("no one is signed in", hint="run: lakekey login")
    try:
        target = target_of(arguments)
    except ConfigurationError:
        if arguments.check:
            raise
        return None
    provider = provider_for_target(target, "never")
    try:
        return provider, provider.token()
    except LoginRequired as error:
        if arguments.check:
            error.profile = error.profile or target.name
            raise
        return None


def _tell_signed_in(arguments: argparse.Namespace, provider: Provider, token: Token) -> int:
    target = provider.target
    who = provider.identity() or target.client_id or None
    if arguments.json:
        facts = {"profile": target.profile, "host": target.host, "auth_type": target.auth_type, "identity": who}
        print_json({**facts, "expiry": token.expires_at.isoformat()})
    else:
        print_text(f"Signed in to {target.host}" + (f" as {who}." if who else "."))
    return 0


def _tell_if_signed_in(session: Session) -> None:
    """Signing in again is fine; a person who did not mean to should learn that it was not needed."""
    if not session.target.is_person:
        return
    entry = session.peek()
    if entry is None or not entry.refresh_token or entry.identity is None:
        return
    import time

    from lakekey.session.expiry import session_end

    end = session_end(entry)
    until = f", and the session ends {in_words(end - time.time())}" if end else ""
    prompt.tell(f"lakekey: you are signed in as {entry.identity}{until}; signing in again.")


def _require_person(session: Session) -> None:
    """Refuse a sign-in for which a person is needed, where none can be asked."""
    if not session.target.is_person or session.credential.attended:
        return
    from lakekey.session.login_required import login_required

    entry = session.peek()
    if entry is not None and entry.refresh_token and entry.identity and entry.refused is None:
        raise LoginRequired(
            f"signed in as {entry.identity}, and this run cannot prompt for another sign-in",
            hint=f"to keep that session: {session.target.login_command} --if-needed",
            profile=session.target.name,
        )
    error = login_required(session.target, None)
    raise error if error.url else _with_a_step_that_is_possible(error)


def _with_a_step_that_is_possible(error: LoginRequired) -> LakekeyError:
    """The hint of a program is this very command, which has just shown that it cannot be run here."""
    run = why_unattended(os.environ) or NO_TERMINAL
    principal = "DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET of a service principal"
    person = "set LAKEKEY_INTERACTIVE=browser, if you are at this machine; else give it " if run == NO_TERMINAL else ""
    error.hint = f"this is {run}: {person or 'it needs '}{principal}"
    return error


def _require_keeping(session: Session) -> None:
    """A sign-in that ends with this command is of no use."""
    cache = session.cache
    if not cache.keeps(session.entry_id):
        reason = cache.volatile or f"cannot write to the token cache at {cache.store.where}"
        raise CacheWriteFailed(
            f"{reason}, so the session would end with this command",
            hint="set LAKEKEY_CACHE_DIR to a directory of yours that can be written to",
            profile=session.target.name,
        )


def _provider_with_secret(arguments: argparse.Namespace) -> tuple[Session, Provider]:
    """The provider; where all that it lacks is the service principal's secret, a person is asked for that."""
    try:
        return _provider(arguments)
    except ConfigurationError:
        from lakekey.cli import secret

        if not sys.stdin.isatty():
            raise
        try:
            target = secret.client_of_profile(arguments)
        except ConfigurationError:
            target = None
        if target is None:
            raise
    secret.seal_secret(target)
    return _provider(arguments)


def _provider(arguments: argparse.Namespace) -> tuple[Session, Provider]:
    environ = {**os.environ, "BROWSER": "none"} if arguments.no_browser else None
    mode = "paste" if arguments.paste else None
    if arguments.no_browser and interactive_mode(os.environ) == "paste":
        mode = "auto"  # it listens for the answer
    return session_and_provider(target_of(arguments), mode, environ)
