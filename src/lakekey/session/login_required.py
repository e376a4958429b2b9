"""The error of a missing sign-in: what it says, and the next step that it names."""

from lakekey.cache.entry import Entry
from lakekey.configuration.target import Target
from lakekey.errors import LoginRequired


def login_required(target: Target, entry: Entry | None) -> LoginRequired:
    """The error of a session that is over, or never began, where no person is there to sign in.

    Args:
        target: What is to be signed in to.
        entry: The session that is over, or ``None``.
    """
    url, user = target.connect_url, target.user
    if entry is not None and entry.refused is not None:
        message = entry.refused.message
    elif url:
        message = f"{user} is not connected"
    else:
        message = "not signed in, and this run cannot prompt for a sign-in"
    if url:
        return LoginRequired(message, hint=f"{user} connects at {url}", profile=target.name, url=url)
    hint = f"run: {target.login_command}"
    if user and entry is None:
        # Whose page could be linked to is not known in a store that no portal keeps connections in.
        hint += f"; where a portal signs {user} in, set LAKEKEY_STORE, or LAKEKEY_CACHE_DIR, as the portal has it"
    return LoginRequired(message, hint=hint, profile=target.name)
