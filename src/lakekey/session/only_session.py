"""The only session of this cache, for callers that name none."""

import itertools
from collections.abc import Mapping

from lakekey.cache.opening import open_cache
from lakekey.configuration.settings import U2M
from lakekey.configuration.target import Target
from lakekey.configuration.validation import names_nothing
from lakekey.errors import ConfigurationError
from lakekey.session.inventory import RENEWABLE, SIGNED_IN, Found, state_of, target_of, walk

_NAMED = 10  # sessions that a hint names


def is_nothing_named(error: ConfigurationError) -> bool:
    """Whether an error of `resolve` says that nothing is configured or named, and not that something is wrong."""
    return names_nothing(error)


def the_only_one(environ: Mapping[str, str] | None = None) -> Target | None:
    """The target of the one session of a person that there is, for callers who name none.

    Raises:
        ConfigurationError: There are several; its hint says how to choose.
    """
    alive = (
        each
        for each in walk(open_cache(environ), environ)
        if each.entry is not None
        and each.entry.about.get("auth_type") == U2M
        and state_of(each.entry) in (SIGNED_IN, RENEWABLE)
    )
    persons = list(itertools.islice(alive, _NAMED + 1))  # not all of a store that a fleet shares
    if len(persons) == 1:
        return target_of(persons[0], environ)
    if persons:
        several, more = persons[:_NAMED], len(persons) > _NAMED
        ways = [_option_of(each) for each in several]
        raise ConfigurationError(
            f"no profile is named, and there are {'more than ' if more else ''}{len(several)} sessions to choose from",
            hint=f"name one: {', '.join(dict.fromkeys(ways))}{'; lakekey status shows the others' if more else ''}",
        )
    return None


def _option_of(found: Found) -> str:
    """How a session is named on a command line."""
    if found.profiles:
        return f"-p {found.profiles[0]}"
    user = found.entry.about.get("user") if found.entry is not None else None
    return f"--host {found.info.host}" + (f" --user {user}" if user else "")
