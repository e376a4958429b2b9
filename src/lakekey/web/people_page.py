"""The people of the administrator's page, with their connections and what ends with them."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from lakekey.web import connections, words
from lakekey.web.connections_page import state
from lakekey.web.everyone import Held
from lakekey.web.frame import say, spelled
from lakekey.web.pages import Form, facts, fold, time_if_known, written_out

#: People that are shown at once.
MOST = 50


def people(language: str, everyone: Sequence[Held], form: Form, *, search: str, now: datetime) -> str:
    """The people with their connections, or those whose names have a part in them."""
    of_each: dict[tuple[str, str], list[Held]] = {}
    for held in everyone:
        of_each.setdefault((held.user, held.user_id), []).append(held)
    if not of_each:
        return f"<p>{say(language, 'no-connections')}</p>"
    names = [name for name, _ in of_each]
    sought = search.casefold().strip()
    found = [(who, helds) for who, helds in of_each.items() if sought in who[0].casefold()]
    shown = "".join(
        _person(language, f"{name} ({unique})" if names.count(name) > 1 else name, helds, now, form)
        for (name, unique), helds in found[:MOST]
    )
    hidden = len(found) - min(len(found), MOST)
    counted = say(language, "people-found", count=str(len(found)), all=str(len(of_each)))
    more = f" {say(language, 'people-hidden', count=str(hidden))}" if hidden else ""
    form_of_search = _search(language, search, form) if len(of_each) > 1 else ""
    return f'{form_of_search}<p class="quiet">{counted}{more}</p>' + (f"<ul>{shown}</ul>" if shown else "")


def _search(language: str, search: str, form: Form) -> str:
    return (
        f'<form method="get" action="{escape(form.base)}/admin" role="search">'
        f'<label for="search">{say(language, "search-people")}</label>'
        f'<input type="search" id="search" name="user" value="{escape(search)}" autocomplete="off">'
        f"<button>{say(language, 'search')}</button></form>"
    )


def _person(language: str, label: str, helds: Sequence[Held], now: datetime, form: Form) -> str:
    """A person and their connections. Namesakes are told apart by their ids."""
    rows = "".join(_held(language, held, now, form) for held in helds)
    depends = list(dict.fromkeys(each for held in helds for each in held.connection.schedules or ()))
    told = f"<p>{say(language, 'ends-connections', profiles=', '.join(held.profile for held in helds))}</p>"
    told += _depending(language, depends, is_known=all(held.connection.schedules is not None for held in helds))
    all_of_them = words.text(language, "remove-user", user=label)
    user, unique = helds[0].user, helds[0].user_id
    told += form.button("admin", all_of_them, do="remove-user", user=user, user_id=unique)
    letters = "".join(f'<p class="quiet">{escape(each)}</p>' for each in written_out(language, user))
    removal = fold(say(language, "removal-of", what=label), told)
    return f"<li><h3>{escape(spelled(label))}</h3>{letters}{rows}{removal}</li>"


def _depending(language: str, schedules: Sequence[str], *, is_known: bool) -> str:
    if schedules:
        return f"<p><strong>{say(language, 'depends', schedules=', '.join(schedules))}</strong></p>"
    return f"<p>{say(language, 'depends-nothing' if is_known else 'depends-unknown')}</p>"


def _held(language: str, held: Held, now: datetime, form: Form) -> str:
    connection = held.connection
    rows = [
        ("as", escape(spelled(connection.who or "?"))),
        ("workspace", escape(connection.host.removeprefix("https://"))),
        ("app", escape(connection.registration)),
        ("since", time_if_known(language, connection.connected_at)),
        ("until", time_if_known(language, connection.ends_at if connection.state == connections.ENDS_SOON else None)),
        ("schedules", escape(", ".join(map(spelled, connection.schedules or ())))),
    ]
    told = f'<p class="state quiet">{say(language, "held-old")}</p>'
    if held.offered:
        told = state(language, connection, now)
    label = words.text(language, "remove-held", profile=held.profile, user=held.user)
    return (
        f'<div class="row"><h4>{escape(spelled(held.profile))}</h4>{told}{facts(language, rows)}'
        f"{form.button('admin', label, do='remove', entry=held.entry_id)}</div>"
    )
