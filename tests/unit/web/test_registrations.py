"""Changes of the app registrations: what becomes of them in a store that says no."""

import pytest

from lakekey.cache.app_registrations import AppRegistration
from lakekey.errors import CacheWriteFailed
from lakekey.web import one_connection
from lakekey.web.registrations import Registrations
from support.denying import Denying, hurried
from support.model_providers import TARGET, cache_over

APP = AppRegistration(
    "prod", hosts=(TARGET.host,), client_id="an-app", redirect_uri="https://portal.example.com/callback/prod"
)


@pytest.fixture
def registrations(monkeypatch):
    hurried(monkeypatch, one_connection)
    return Registrations(cache_over(Denying()))


def test_store_that_takes_no_change_is_not_asked_for_ever(registrations):
    registrations._cache.store.deny()
    with pytest.raises(CacheWriteFailed, match="took none of the changes of the app registrations"):
        registrations.add(APP)
    assert registrations.all() == []


def test_change_that_the_store_did_not_take_at_first_is_made(registrations):
    registrations._cache.store.deny(2)
    registrations.add(APP)
    assert [app.name for app in registrations.all()] == ["prod"]
