"""What `Portal.require` answers where there is no token: the reader's words with the fact, and the step in the log."""

import logging
import time
from pathlib import Path

import pytest
import requests
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from lakekey.session.session import Session
from lakekey.web import User
from support.web_browser import Browser
from support.web_server import serving

from .conftest import ADA

PATIENCE = 60.0


@pytest.fixture
def address(portal):
    async def me(request):
        await portal.require("prod")(request)
        return PlainTextResponse("served")

    with serving(Starlette(routes=[Route("/me", me), Mount("/lakekey", app=portal)])) as address:
        yield address


def expire(portal):
    session = Session(portal.target("prod", User(ADA)))
    stored = session.cache.read(session.entry_id)
    ended = stored.entry._replace(issued_at=time.time() - 7200, expires_at=time.time() - 3600)
    assert session.cache.put(session.entry_id, ended, replaces=stored.envelope)


def refuse_the_app(portal):
    portal.registrations.rotate_secret("portal-app", "a-wrong-secret", keep_older=False)


def spoil_the_entry(portal):
    session = Session(portal.target("prod", User(ADA)))
    file = Path(portal.cache.store.where) / "entries" / f"{session.entry_id}.entry"
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("trouble", "status", "fact"),
    [(refuse_the_app, 502, "invalid_client"), (spoil_the_entry, 503, "is a link or not of the kind")],
    ids=["app refused", "entry spoilt"],
)
def test_error_is_told_with_its_fact_and_the_log_has_the_step(address, portal, place, caplog, trouble, status, fact):
    Browser(address, ADA, place.box.ca_file).connect()
    expire(portal)
    trouble(portal)
    caplog.set_level(logging.WARNING, "lakekey.web")
    caplog.clear()
    by_person = {"X-User": ADA, "Accept": "text/html", "Accept-Language": "de"}
    shown = requests.get(f"{address}/me", headers=by_person, timeout=PATIENCE)
    assert shown.status_code == status
    assert "Administration" in shown.text
    assert fact in shown.text
    (record,) = [each for each in caplog.records if each.name == "lakekey.web"]
    assert record.levelno == logging.WARNING
    said = record.getMessage()
    assert said.startswith(f"prod: no token for {ADA}: ")
    message, step = said.split(" → ")
    assert fact in message
    assert step not in shown.text
    by_program = requests.get(f"{address}/me", headers={"X-User": ADA, "Accept": "application/json"}, timeout=PATIENCE)
    assert (by_program.status_code, by_program.text in message) == (status, True)
