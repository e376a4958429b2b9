"""Whether the person who signed in is the one who should have."""

from lakekey.configuration.target import Target
from lakekey.errors import WrongIdentity
from lakekey.login.identity import Identity


def check_identity(target: Target, identity: Identity, held: str | None) -> None:
    """Refuse a sign-in as somebody else than the profile names, or than the session belonged to.

    Args:
        target: What was signed in to; its ``user`` and ``group_id`` are what the profile names.
        identity: Who signed in, as the server says.
        held: Who the session belonged to, or ``None`` where it is new or may change hands.

    Raises:
        WrongIdentity: It is somebody else, or nobody can tell although the profile or the session names one.
    """
    if target.user and target.user.casefold() not in identity.names:
        said = identity.name or "somebody whom the server does not name"
        raise WrongIdentity(
            f"{said} signed in, but this profile is for {target.user}",
            hint=f"sign out of {target.host} in the browser, and sign in as {target.user}",
            profile=target.name,
        )
    if held and held.casefold() not in identity.names:
        # Nor somebody unknown: who could tell afterwards that the session had changed hands?
        said = identity.name or "somebody whom the server does not name"
        raise WrongIdentity(
            f"{said} signed in, but this session is {held}'s",
            hint=f"sign in as {held}, or hand the session over with: {target.login_command} --switch",
            profile=target.name,
        )
    if target.group_id and identity.group and identity.group != target.group_id:
        raise WrongIdentity(
            f"the sign-in is for the group {identity.group}, but this profile assumes {target.group_id}",
            hint="ask the administrator whether you may assume that group",
            profile=target.name,
        )
