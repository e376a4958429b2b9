"""Who is at the browser: the portal's user, as the host application names that person."""

from typing import NamedTuple

from lakekey.configuration.target import person_key
from lakekey.errors import ConfigurationError

_LONGEST = 320  # RFC 5321 §4.5.3.1: 64 for the local part, 255 for the domain, and the sign between them


class User(NamedTuple):
    """A user of the host application.

    Attributes:
        name: The user name or mail address; ``lakekey.provider(…, user=name)`` finds the connections by it,
            whatever the id.
        id: What stays the same if the name is given to another person, such as issuer and subject of the host's own
            sign-in; ``""`` if there is nothing such.
    """

    name: str
    id: str = ""


#: Stands for any user, where only the profile counts.
ANY_USER = User("any-user")


def user_of(given: "User | str") -> User:
    """A user in the one form in which it is compared and kept.

    Args:
        given: What the host application calls the person.

    Raises:
        ConfigurationError: It cannot be a user's name.
    """
    name, unique = (given.name, given.id) if isinstance(given, User) else (given, "")
    if not isinstance(name, str):
        raise ConfigurationError(
            f"the user is of type {type(name).__name__}, not text",
            hint="return a user name, a lakekey.web.User or None",
        )
    if not isinstance(unique, str):
        raise ConfigurationError(
            f"the user's id is of type {type(unique).__name__}, not text", hint="return User(name, str(id))"
        )
    # Nothing is taken off: a name that would become another person's by that is refused.
    if not name.isprintable() or name != name.strip() or not 0 < len(name) <= _LONGEST or len(unique) > 4 * _LONGEST:
        raise ConfigurationError(
            "the user's name is empty, too long, or has unprintable characters or surrounding spaces",
            hint="return the user name or mail address",
        )
    return User(person_key(name), unique)
