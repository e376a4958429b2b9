"""``lakekey whoami``: who the next program acts as, where, and until when. It only looks, and sends nothing."""

import argparse

from lakekey.cache.entry import Entry
from lakekey.cli.output import print_facts, print_json, when
from lakekey.cli.provider import nothing_is_there, target_of
from lakekey.errors import LoginRequired
from lakekey.session import inventory
from lakekey.session.expiry import session_end
from lakekey.session.inventory import BY_THE_SDK, NEEDS_LOGIN
from lakekey.session.session import Session


def whoami(arguments: argparse.Namespace) -> int:
    """Show the identity of a session; exit status 3 where that needs a login."""
    if nothing_is_there(arguments):
        raise LoginRequired("no one is signed in", hint="run: lakekey login")
    session = Session(target_of(arguments))
    target = session.target
    entry = (None if target.is_delegated else session.peek()) or Entry(target.description())
    state = inventory.state_of(entry)
    if state in NEEDS_LOGIN:
        trouble = inventory.trouble_of(entry)
        raise LoginRequired(
            trouble.message if trouble is not None and not target.is_person else "not signed in",
            hint=f"run: {target.login_command}" if target.is_person or trouble is None else trouble.hint,
            profile=target.name,
        )
    ends = inventory.moment(session_end(entry))
    identity = inventory.identity_of(entry)
    if arguments.json:
        facts = {"identity": identity, "profile": target.profile, "host": target.host, "state": state}
        print_json({**facts, "session_ends_at": ends.isoformat(timespec="seconds") if ends else None})
        return 0
    print_facts(
        {
            "identity": identity or ("known to the SDK alone" if state == BY_THE_SDK else "not known"),
            "role": f"group {target.group_id}" if target.group_id else None,
            "profile": target.profile,
            "host": target.host,
            "session ends": when(ends.isoformat()) if ends else None,
        }
    )
    return 0
