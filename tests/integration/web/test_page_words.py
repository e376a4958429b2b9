"""What the page says: each state in words, in both languages; and what depends on a connection."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.errors import ConfigurationError, LoginRequired, ServicePrincipalMissingWarning
from lakekey.providers import factory
from lakekey.web import Portal, Schedule, User, connections, connections_page
from lakekey.web.connections import Connection
from lakekey.web.pages import Form
from support.processes import lakekey
from support.web_browser import Browser
from support.web_server import serving

from .conftest import ADA, GRACE, URL

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
ROOT = "root@example.com"
OF_ADA = [
    Schedule("nightly", "prod", ADA),
    Schedule("<b>weekly</b>", "prod", User(ADA, "")),
    Schedule("hers", "prod", GRACE),
    Schedule("elsewhere", "staging", ADA),
]


def shown(language, state, **facts):
    connection = Connection(
        "prod", "https://x.cloud.databricks.com", ("sql",), state, who=ADA, registration="app", **facts
    )
    page = connections_page.overview(language, ADA, [connection], Form("/lakekey", "t"), now=NOW.timestamp())
    return page.decode()


@pytest.mark.parametrize(
    ("state", "facts", "english", "german"),
    [
        (connections.NOT_CONNECTED, {}, "Not connected", "Nicht verbunden"),
        (connections.CONNECTED, {}, ">Connected<", ">Verbunden<"),
        (connections.CONNECTED, {"ends_at": NOW + timedelta(days=30)}, "Connected until <time", "Verbunden bis <time"),
        (connections.ENDS_SOON, {"ends_at": NOW + timedelta(days=3)}, "Ends in 3 days", "Endet in 3 Tagen"),
        (
            connections.ENDS_SOON,
            {"ends_at": NOW + timedelta(minutes=9)},
            "Ends in less than an hour",
            "Endet in weniger als",
        ),
        (connections.SIGN_IN_AGAIN, {"since": NOW, "why": "revoked there"}, "revoked there", "revoked there"),
        (connections.SIGN_IN_AGAIN, {"since": NOW}, "The session has reached its end.", "Die Sitzung"),
        (connections.TRY_LATER, {"since": NOW}, "Try again later", "Bitte später versuchen"),
        (
            connections.ASK_ADMINISTRATOR,
            {"since": NOW, "why": "secret"},
            "Ask your administrator",
            "Bitte an die Administration wenden",
        ),
    ],
)
def test_state_is_reported_in_words_and_one_button_helps(state, facts, english, german):
    for language, words in (("en", english), ("de", german)):
        page = shown(language, state, **facts)
        assert words in page
        assert page.count('action="/lakekey/connect/prod"') >= 1
        assert page.count('class="first"') <= 1


@pytest.fixture
def portal(place):
    return Portal(
        ["prod"], url=URL, user=lambda request: request.headers.get("x-user"), admin=[ROOT], schedules=lambda: OF_ADA
    )


@pytest.fixture
def visit(portal, place):
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        yield lambda user=ADA: Browser(address, user, place.box.ca_file)


def test_b47_page_names_the_schedules_that_rely_on_a_person(visit):
    warning = "Schedules that rely on this connection: nightly, <b>weekly</b>. They stop when it ends"
    page = visit().get()
    assert warning in page.words
    assert "<b>weekly" not in page.text
    assert "rely on this connection: hers." in visit(GRACE).get().words
    assert "rely on" not in visit(ROOT).get().words
    (connection,) = json.loads(visit().get("/connections").text)["connections"]
    assert connection["schedules"] == ["nightly", "<b>weekly</b>"]


def test_b47_page_names_the_principal_that_schedules_use_instead(place):
    profile = f"\n[robot]\nhost = {place.box.host}\nclient_id = {place.box.client_id}\nclient_secret = s\n"
    place.config_file.write_text(place.config_file.read_text() + profile)
    portal = Portal(["prod"], url=URL, user=lambda _: ADA, automation={"prod": "robot"}, schedules=lambda: OF_ADA)
    assert portal.connection(ADA, "prod").schedules == ()
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        words = Browser(address, ADA, place.box.ca_file).get().words
    assert f"Schedules act as the service principal {place.box.client_id}, not as you." in words
    assert "nightly" not in words


def test_two_identities_of_a_workspace_act_each_for_its_purpose(visit, portal, place, monkeypatch):
    visit().connect()
    profile = f"\n[robot]\nhost = {place.box.host}\nca_file = {place.box.ca_file}\n"
    profile += f"client_id = {place.box.client_id}\nclient_secret = {place.box.client_secret}\n"
    place.config_file.write_text(place.config_file.read_text() + profile)
    both = Portal(["prod"], url=URL, user=lambda _: ADA, automation={"prod": "robot"})
    of_ada = both.provider_for(ADA, "prod", purpose="develop").headers()
    assert of_ada == portal.provider(ADA, "prod").headers()
    for purpose in ("schedule", "index"):
        automaton = both.provider_for(GRACE, "prod", purpose=purpose)
        assert automaton.target.client_id == place.box.client_id
        assert automaton.headers() != of_ada
        with pytest.warns(ServicePrincipalMissingWarning, match="should sign in as a service principal"):
            assert portal.provider_for(ADA, "prod", purpose=purpose).headers() == of_ada
        monkeypatch.setattr(factory, "_warned", set())
        with pytest.raises(LoginRequired, match="is not connected"):
            portal.provider_for(GRACE, "prod", purpose=purpose)
    with pytest.raises(ConfigurationError, match="there is no purpose 'play'"):
        both.provider_for(ADA, "prod", purpose="play")
    with pytest.raises(ConfigurationError, match="no profile 'staging'"):
        both.provider_for(ADA, "staging", purpose="schedule")


def test_actor_who_may_not_act_as_a_person_gets_no_principal_in_that_persons_place(place):
    profile = f"\n[robot]\nhost = {place.box.host}\nca_file = {place.box.ca_file}\n"
    profile += f"client_id = {place.box.client_id}\nclient_secret = {place.box.client_secret}\n"
    place.config_file.write_text(place.config_file.read_text() + profile)
    portal = Portal(["prod"], url=URL, user=lambda _: ADA, automation={"prod": "robot"})
    for purpose in ("schedule", "index"):
        with pytest.raises(ConfigurationError, match=f"{GRACE} may not act as {ADA}"):
            portal.provider_for(ADA, "prod", purpose=purpose, actor=GRACE)
        assert portal.provider_for(ADA, "prod", purpose=purpose, actor=ADA).target.client_id == place.box.client_id


def test_b41_administrator_sees_what_depended_on_a_person_who_leaves(visit, portal):
    visit().connect()
    root = visit(ROOT)
    page = root.get("/admin")
    assert "Schedules nightly, <b>weekly</b> " in page.words
    assert "Schedules that depend on it: nightly, <b>weekly</b>." in page.words
    done = root.press(root.get("/admin"), f"Remove all connections of {ADA}")
    assert "Schedules that depended on it: nightly, <b>weekly</b>." in done.words
    assert "<b>weekly" not in done.text
    visit().connect()
    (removed,) = portal.everyone.remove(ADA)
    assert removed.schedules == ("nightly", "<b>weekly</b>")


def test_schedules_by_a_coroutine_function_are_refused(place):
    async def schedules():
        return OF_ADA

    with pytest.raises(ConfigurationError, match="schedules is a coroutine function"):
        Portal(["prod"], url=URL, user=lambda _: ADA, schedules=schedules)


@pytest.mark.parametrize("name", [7, None])
def test_page_is_shown_also_where_a_schedule_has_a_name_that_is_not_text(place, name):
    schedules = [Schedule(name, "prod", ADA)]
    portal = Portal(["prod"], url=URL, user=lambda _: ADA, admin=[ADA], schedules=lambda: schedules)
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        ada = Browser(address, ADA, place.box.ca_file)
        assert f"rely on this connection: {name}." in ada.connect().words
        assert f"Schedules {name} " in ada.get("/admin").words


def test_schedules_are_asked_for_once_for_a_page_of_many_connections(place):
    asked = []
    other = f"\n[staging]\nhost = {place.box.host}\nca_file = {place.box.ca_file}\nscopes = sql\n"
    place.config_file.write_text(place.config_file.read_text() + other)
    portal = Portal(
        ["prod", "staging"], url=URL, user=lambda _: ADA, admin=[ADA], schedules=lambda: asked.append(1) or OF_ADA
    )
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        ada = Browser(address, ADA, place.box.ca_file)
        for button in ("Connect prod", "Connect staging"):
            ada.connect(button)
        for path, told in (("/", "They stop when it ends"), ("/connections", "elsewhere"), ("/admin", "elsewhere")):
            asked.clear()
            assert told in ada.get(path).words
            assert asked == [1], path
    asked.clear()
    assert len(portal.everyone.all()) == len(portal.connections(ADA)) == 2
    portal.check_schedules(OF_ADA[3:] * 3)
    assert asked == [1] * 3


def test_page_is_shown_even_if_the_schedules_are_unknown(place, caplog):
    def schedules():
        raise OSError("the scheduler is away")

    portal = Portal(["prod"], url=URL, user=lambda _: ADA, schedules=schedules)
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        page = Browser(address, ADA, place.box.ca_file).get()
    assert (page.status, "No service principal is configured for schedules" in page.words) == (200, True)
    assert "what runs without a person is not known: OSError" in caplog.text


def test_namesake_with_another_id_relies_on_nothing(place):
    of_the_first = [Schedule("nightly", "prod", User(ADA, "1"))]
    portal = Portal(["prod"], url=URL, user=lambda _: ADA, schedules=lambda: of_the_first)
    assert portal.connection(User(ADA, "1"), "prod").schedules == ("nightly",)
    assert portal.connection(User(ADA, "2"), "prod").schedules == ()
    assert Portal(["prod"], url=URL, user=lambda _: ADA).connection(ADA, "prod").schedules is None


def test_service_of_its_own_reads_schedules_from_a_file(place, tmp_path):
    from lakekey.cli.web import portal_of

    file = tmp_path / "schedules.json"
    file.write_text(json.dumps([{"name": "nightly", "profile": "prod", "user": ADA}]))
    settings = {
        "profiles": ["prod"], "url": "http://localhost:8030", "single_user": ADA, "admin": [], "automation": {},
        "schedules": str(file), "language": None, "warn_days": 3,
    }  # fmt: skip
    portal = portal_of(settings)
    assert portal.connection(ADA, "prod").schedules == ("nightly",)
    file.write_text("[]")
    assert portal.connection(ADA, "prod").schedules == ()
    done = lakekey(
        "web",
        "prod",
        "--url",
        URL,
        "--user-header",
        "X",
        "--trusted-peer",
        "::1",
        "--schedules",
        str(file),
        "--print-unit",
    )
    assert f'"--schedules" "{file}"' in done.stdout
    file.unlink()
    done = lakekey("web", "prod", "--url", "http://localhost:8030", "--single-user", ADA, "--schedules", str(file))
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)
