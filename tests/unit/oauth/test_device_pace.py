"""The device grant's pace: how often the server is asked, for how long, and when the sign-in can be called off."""

import json
import time
from urllib.parse import parse_qs

import pytest

from lakekey._single_flight import Commitment
from lakekey.errors import CredentialsRefused, TokenEndpointError
from lakekey.oauth import device
from lakekey.oauth.client import Client
from lakekey.oauth.discovery import Metadata
from lakekey.oauth.transport import Transport

CODE = {"device_code": "dose-of-code", "user_code": "AB-CD", "verification_uri": "https://w.example.com/d"}
DONE = {"body": json.dumps({"access_token": "a-token", "refresh_token": "dose-of-refresh"})}
PENDING = {"body": json.dumps({"error": "authorization_pending"}), "status": 400}
SLOW_DOWN = {"body": json.dumps({"error": "slow_down"}), "status": 400}
BLIP = {"body": "{}", "status": 503}


class Noted(Commitment):
    """A commitment that notes what becomes of it, and waits for nothing."""

    def __init__(self):
        super().__init__()
        self.notes = []

    @property
    def pauses(self):
        return [note for note in self.notes if isinstance(note, float)]

    def pause(self, seconds):
        if seconds:  # with none, work that is under way asks whether it is called off
            self.notes.append(seconds)

    def commit(self):
        self.notes.append("committed")
        super().commit()

    def settled(self):
        self.notes.append("free again")
        super().settled()


@pytest.fixture
def commitment():
    noted = Noted()
    yield noted
    noted.settled()


@pytest.fixture
def client(server):
    metadata = Metadata(server.url, f"{server.url}/authorize", f"{server.url}/token")
    metadata = metadata._replace(device_authorization_endpoint=f"{server.url}/device")
    return Client("the-app", None, ("all-apis", "sql"), Transport(), lambda: metadata, assume_group="admins")


def begun(client, server, **changes):
    server.answer("/device", json.dumps({**CODE, **changes}))
    return device.begin(client)


def poll(client, server, commitment, *answers, interval=2.0, seconds=1000.0):
    """What comes of a sign-in whose token endpoint gives these answers, one after the other."""
    left, fetch = iter(answers), server.answer_for

    def next_one(path):
        server.answer(path, **next(left))
        return fetch(path)

    server.answer_for = next_one
    now = time.monotonic()
    code = device.DeviceCode("dose-of-code", "AB-CD", "https://w.example.com/d", interval, now + 1000.0)
    return device.poll(client, code, commitment, now + seconds)


def test_code_is_asked_for_with_scopes_and_role(client, server):
    begun(client, server)
    expected = {"scope": ["all-apis sql"], "assume_group": ["admins"], "client_id": ["the-app"]}
    assert parse_qs(server.asked[0].body) == expected


@pytest.mark.parametrize(
    ("told", "interval"),
    [({}, 5.0), ({"interval": 7}, 7.0), ({"interval": 0.5}, 0.5), ({"interval": 60}, 60.0), ({"interval": 61}, 60.0),
     ({"interval": 0}, 5.0), ({"interval": -1}, 5.0), ({"interval": True}, 5.0), ({"interval": "9"}, 5.0)],
)  # fmt: skip
def test_server_names_the_interval_within_bounds(client, server, told, interval):
    assert begun(client, server, **told).interval == interval


@pytest.mark.parametrize(
    ("told", "seconds"), [({}, 300.0), ({"expires_in": 600}, 600.0), ({"expires_in": 3601}, 3600.0)]
)
def test_server_names_the_end_within_bounds(client, server, told, seconds):
    before = time.monotonic()
    code = begun(client, server, **told)
    assert before + seconds <= code.deadline <= time.monotonic() + seconds


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"body": json.dumps({"error": "unauthorized_client"}), "status": 400}, CredentialsRefused),
        ({"body": json.dumps({**CODE, "error": "unauthorized_client"}), "status": 401}, CredentialsRefused),
        ({"body": json.dumps([CODE])}, TokenEndpointError),
        ({"body": json.dumps({**CODE, "access_token": "a-token", "refresh_token": "r"}), "status": 201}, TokenEndpointError),
    ],
    ids=["refused", "refused with a code", "a list", "another status"],
)  # fmt: skip
def test_answer_without_a_code_is_an_error(client, server, answer, kind):
    server.answer("/device", **answer)
    with pytest.raises(kind):
        device.begin(client)


def test_server_is_asked_at_the_interval_until_the_person_is_done(client, server, commitment):
    assert poll(client, server, commitment, PENDING, PENDING, DONE).access_token == "a-token"
    assert commitment.pauses == [2.0, 2.0, 2.0]


def test_slow_down_adds_five_seconds_each_time(client, server, commitment):
    poll(client, server, commitment, SLOW_DOWN, PENDING, SLOW_DOWN, DONE)
    assert commitment.pauses == [2.0, 7.0, 7.0, 12.0]


@pytest.mark.parametrize("pauses", [[0.5, 1.0, 2.0, 4.0], [0.01, 0.02], [40.0, 60.0, 60.0]])
def test_trouble_doubles_the_interval_up_to_a_minute(client, server, commitment, pauses):
    poll(client, server, commitment, *[BLIP] * (len(pauses) - 1), DONE, interval=pauses[0])
    assert commitment.pauses == pauses


@pytest.mark.parametrize(("told", "then"), [("9", 9.0), ("3", 4.0), ("99", 60.0)])
def test_server_in_trouble_names_a_longer_interval(client, server, commitment, told, then):
    poll(client, server, commitment, {**BLIP, "Retry_After": told}, DONE)
    assert commitment.pauses == [2.0, then]


def test_answer_that_more_questions_cannot_better_ends_it(client, server, commitment):
    with pytest.raises(TokenEndpointError) as caught:
        poll(client, server, commitment, {"body": json.dumps({"error": "unheard_of"}), "status": 400}, DONE)
    assert not caught.value.retryable
    assert len(server.asked) == 1


def test_question_that_would_come_too_late_is_not_asked(client, server, commitment):
    assert poll(client, server, commitment, DONE, seconds=1.0) is None
    assert commitment.notes == []
    assert server.asked == []


def test_sign_in_can_be_called_off_between_two_questions(client, server, commitment):
    poll(client, server, commitment, PENDING, BLIP, DONE)
    assert commitment.notes == [2.0, "committed", "free again", 2.0, "committed", "free again", 4.0, "committed"]
