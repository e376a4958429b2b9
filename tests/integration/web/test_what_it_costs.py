"""What a hosted sign-in costs: how often it waits for the disk, and what a loss of power may take back."""

import os
import socket
from pathlib import Path

import pytest

from lakekey.cache.opening import open_cache
from lakekey.session.session import Session
from lakekey.web import User, begin_sign_in, finish_sign_in
from lakekey.web.flows import PREFIX, row_of
from lakekey.web.sign_in import SignIns, hosted_target
from support.web_people import query_of

from .conftest import ADA, GRACE


@pytest.fixture
def waits_for_disk(monkeypatch):
    """What is brought to the disk, by name."""
    names, fsync = [], os.fsync

    def noting(descriptor):
        names.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    return names


def test_sign_in_waits_for_the_disk_once_for_the_connection_itself(place, waits_for_disk):
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
    finish_sign_in("prod", answer=query_of(place.consent(begun.url)), user=ADA, browser=begun.cookie.value)
    waits_for_disk.clear()  # without what the first sign-in of all learns of the server
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
    answer = query_of(place.consent(begun.url))
    assert finish_sign_in("prod", answer=answer, user=ADA, browser=begun.cookie.value).code == "connected"
    entry = Session(hosted_target("prod", User(ADA), os.environ)).entry_id
    assert len(waits_for_disk) == 2
    assert waits_for_disk[0].startswith(f"{entry}.entry")
    assert waits_for_disk[1] == "entries"


def test_tokens_of_a_question_wait_for_the_disk_as_they_are_nowhere_else(place, waits_for_disk):
    sign_ins, target = SignIns(), hosted_target("prod", User(ADA), os.environ)
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
    received = sign_ins.receive(query_of(place.consent(begun.url, GRACE)), browser=begun.cookie.value, registration="")
    waits_for_disk.clear()
    asked = sign_ins.second_step.finish(
        received.handle, browser=begun.cookie.value, user=User(ADA), target_of=lambda flow: target
    )
    assert asked.code == "other-person"
    assert any(name.startswith(PREFIX + row_of(ADA)) for name in waits_for_disk)


def test_code_is_not_sent_again_when_power_has_taken_its_row_back(place):
    sign_ins, target = SignIns(), hosted_target("prod", User(ADA), os.environ)
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
    received = sign_ins.receive(query_of(place.consent(begun.url)), browser=begun.cookie.value, registration="")
    row = Path(open_cache().store.place(PREFIX + row_of(ADA)))
    before = row.read_bytes()

    def finish():
        return sign_ins.second_step.finish(
            received.handle, browser=begun.cookie.value, user=User(ADA), target_of=lambda flow: target
        )

    assert finish().code == "connected"
    entry = Session(target).peek()
    row.write_bytes(before)
    again = finish()
    assert (again.code, again.who) == ("connected", ADA)
    assert len(place.token_requests()) == 1
    assert Session(target).peek() == entry


def test_exchange_and_question_of_membership_share_one_connection(place, monkeypatch):
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri)
    answer, connect, made = query_of(place.consent(begun.url)), socket.socket.connect, []

    def noting(self, address):
        made.append(address)
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noting)
    assert finish_sign_in("prod", answer=answer, user=ADA, browser=begun.cookie.value).code == "connected"
    assert len(place.token_requests()) == 1
    assert len(made) == 1


def test_connection_is_told_before_its_row_is_done_with_and_a_reload_says_the_same(place):
    sign_ins, target, left = SignIns(), hosted_target("prod", User(ADA), os.environ), []
    begun = begin_sign_in("prod", user=ADA, redirect_uri=place.redirect_uri, return_to="/me")
    received = sign_ins.receive(query_of(place.consent(begun.url)), browser=begun.cookie.value, registration="")

    def finish(**options):
        return sign_ins.second_step.finish(
            received.handle, browser=begun.cookie.value, user=User(ADA), target_of=lambda flow: target, **options
        )

    told = finish(later=left.append)
    assert (told.code, told.who, told.return_to) == ("connected", ADA, "/me")
    assert sign_ins.flows.find(received.handle).stage == "redeeming"
    assert finish() == told
    left[0]()
    assert sign_ins.flows.find(received.handle).stage == "done"
    assert finish() == told
    assert len(place.token_requests()) == 1
