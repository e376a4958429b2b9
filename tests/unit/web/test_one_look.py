"""What one request reads once, and what the next one sees."""

from typing import Any, NamedTuple

import pytest

from lakekey.cache.app_registrations import AppRegistration
from lakekey.errors import ConfigurationError
from lakekey.web.one_look import OneLook
from lakekey.web.people import User

HOST = "https://x.cloud.databricks.com"
APP = AppRegistration("app", "a-client", hosts=(HOST,), redirect_uri="https://portal.example.com/callback/app")
ADA = User("ada@example.com")


class Registrations:
    """Registrations that count how often they are read."""

    def __init__(self):
        self.apps, self.reads, self.made = [APP], 0, []

    def all(self):
        self.reads += 1
        return list(self.apps)

    def ensure(self, app, *, among):
        assert among == self.apps
        self.made.append(app.of_profile)


class Portal(NamedTuple):
    """What a look asks of a portal."""

    environ: dict[str, str]
    registrations: Any
    profiles: tuple[str, ...] = ("prod", "other")
    url: str = "https://portal.example.com"


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "databrickscfg"
    path.write_text(f"[prod]\nhost = {HOST}\n\n[other]\nhost = {HOST}\nclient_id = own\n")
    return path


@pytest.fixture
def portal(config_file, tmp_path):
    return Portal({"DATABRICKS_CONFIG_FILE": str(config_file), "HOME": str(tmp_path)}, Registrations())


def test_apps_are_read_once_for_all_that_a_request_asks(portal):
    look = OneLook(portal, ADA)
    target = look.target("prod")
    assert (target.client_id, target.user) == (APP.client_id, ADA.name)
    assert look.app_of(target) == APP
    own = look.app_of(look.target("other"))
    assert (own.client_id, own.of_profile, portal.registrations.made) == ("own", "other", ["other"])
    assert portal.registrations.reads == 1


def test_profile_that_changes_during_a_request_stays_what_it_was_and_the_next_request_sees_it(portal, config_file):
    look = OneLook(portal, ADA)
    before = look.target("prod")
    config_file.write_text("[prod]\nhost = https://y.cloud.databricks.com\n")
    assert look.target("prod") is before
    assert OneLook(portal, ADA).target("prod").host == "https://y.cloud.databricks.com"


def test_app_that_changes_is_seen_by_the_next_request(portal):
    OneLook(portal, ADA).target("prod")
    portal.registrations.apps = [APP._replace(client_id="another")]
    assert OneLook(portal, ADA).target("prod").client_id == "another"


@pytest.mark.parametrize("setting", ["store = file:{}", "cache_dir = {}"])
def test_profile_with_a_store_of_its_own_has_the_apps_of_that_store(portal, config_file, tmp_path, setting):
    config_file.write_text(f"[prod]\nhost = {HOST}\n{setting.format(tmp_path / 'elsewhere')}\n")
    assert OneLook(portal, ADA).target("prod").client_id != APP.client_id
    assert portal.registrations.reads == 0


def test_profile_that_is_missing_or_wrong_is_said_each_time(portal, config_file):
    look = OneLook(portal, ADA)
    with pytest.raises(ConfigurationError, match="no profile 'dev'"):
        look.target("dev")
    config_file.write_text("[other]\nhost = x\n")
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            look.target("prod")
    config_file.write_text(f"[prod]\nhost = {HOST}\n")
    assert look.target("prod").host == HOST
