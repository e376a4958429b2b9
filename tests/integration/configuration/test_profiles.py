"""What users of today's tools suffer where profiles meet: custom apps, two people on one host, other credentials about."""

import pytest
import requests

import lakekey
from lakekey import CredentialsRefused, WrongIdentity
from support.program import free_port


@pytest.fixture
def box(lakekey_environment, monkeypatch):
    monkeypatch.delenv("DATABRICKS_HOST")
    return lakekey_environment


@pytest.fixture
def profiles(box, tmp_path):
    def write(**sections):
        text = ""
        for name, settings in sections.items():
            lines = [f"{key} = {value}" for key, value in {"host": box.host, **settings}.items()]
            text += "\n".join([f"[{name}]", *lines, ""])
        (tmp_path / "databrickscfg").write_text(text)

    return write


def whoami(box, provider):
    url = f"{box.host}/api/2.0/preview/scim/v2/Me"
    return requests.get(url, headers=provider.headers(), verify=box.ca_file, timeout=10).json()["userName"]


# Custom OAuth apps


def test_an_app_of_ones_own_is_a_profile_with_its_id_secret_address_and_scopes(box, profiles):
    redirect = f"http://localhost:{free_port()}/callback"
    box.register_client(
        "our-app", client_secret="dose-of-our-app", redirect_uris=[redirect],
        scopes=["sql", "offline_access"],
    )  # fmt: skip
    app = {"auth_type": "external-browser", "client_id": "our-app", "client_secret": "dose-of-our-app"}
    profiles(app={**app, "redirect_url": redirect, "scopes": "sql"})
    p = lakekey.provider("app")
    assert whoami(box, p) == "ada@example.com"
    assert p.token().scopes == ("offline_access", "sql")
    assert {record.client_id for record in box.log if record.route == "authorize"} == {"our-app"}


def test_a_secret_that_is_handed_over_apart_belongs_to_the_profiles_app(box, profiles):
    box.register_client("our-app", client_secret="dose-of-our-app", redirect_uris=["http://localhost:8020"])
    profiles(app={"auth_type": "external-browser", "client_id": "our-app"})
    assert whoami(box, lakekey.provider("app", client_secret="dose-of-our-app")) == "ada@example.com"
    with pytest.raises(CredentialsRefused):
        lakekey.provider("app", client_secret="wrong").login()


# Two people, two clients, two sets of scopes on one host


def test_two_people_on_one_host_keep_two_sessions(box, profiles, monkeypatch):
    profiles(ada={"user": "ada@example.com"}, grace={"user": "grace@example.com"})
    for name in ("ada", "grace"):
        monkeypatch.setenv("BROWSER", box.person(f"{name}@example.com").command())
        lakekey.provider(name).login()
    assert [whoami(box, lakekey.provider(name)) for name in ("ada", "grace", "ada")] == [
        "ada@example.com",
        "grace@example.com",
        "ada@example.com",
    ]
    assert box.counters["logins"] == 2


def test_another_person_than_the_profile_names_is_refused(box, profiles):
    profiles(grace={"user": "grace@example.com"})
    with pytest.raises(WrongIdentity, match=r"ada@example\.com signed in, but this profile is for grace@example\.com"):
        lakekey.provider("grace").login()  # it is ada who sits there
    assert lakekey.provider("grace").identity() is None


def test_profiles_that_differ_in_nothing_that_matters_share_one_login(box, profiles):
    profiles(one={"warehouse_id": "a"}, two={"warehouse_id": "b", "catalog": "main"}, narrow={"scopes": "sql"})
    first = lakekey.provider("one").token().access_token
    assert lakekey.provider("two").token().access_token == first
    assert box.counters["logins"] == 1
    assert lakekey.provider("narrow").token().access_token != first
    assert box.counters["logins"] == 2


# Other credentials about


def test_a_named_grant_is_not_disturbed_by_what_lies_in_the_environment(box, profiles, monkeypatch):
    profiles(dev={"auth_type": "external-browser"})
    for name in (
        "DATABRICKS_TOKEN",
        "DATABRICKS_USERNAME",
        "DATABRICKS_PASSWORD",
        "ARM_CLIENT_ID",
        "GOOGLE_CREDENTIALS",
    ):
        monkeypatch.setenv(name, "something")
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", box.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", box.client_secret)
    assert whoami(box, lakekey.provider("dev")) == "ada@example.com"
    assert whoami(box, lakekey.provider(host=box.host)) == box.client_id
