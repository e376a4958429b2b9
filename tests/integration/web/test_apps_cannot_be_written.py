"""App registrations where nothing can be written: an administrator's change is made whole, or is an error."""

import pytest

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.client_secrets import put_secret
from lakekey.cache.opening import open_cache
from lakekey.errors import CacheWriteFailed
from lakekey.web.registrations import Registrations
from support.processes import lakekey

HOST = "https://dbc.example.com"
APP = AppRegistration(
    "one", "a-client", hosts=(HOST,), secret="dose-of-older", redirect_uri="https://apps.example.com/callback/one"
)


def test_change_on_a_full_disk_is_an_error_and_lives_in_no_memory(disk):
    registrations = Registrations(open_cache())
    registrations.add(APP)
    before = registrations.all()
    disk.fill()
    for change in (
        lambda: registrations.rotate_secret("one", "dose-of-newer"),
        lambda: registrations.add(APP._replace(name="two", redirect_uri="https://apps.example.com/callback/two")),
        lambda: registrations.remove("one"),
    ):
        with pytest.raises(CacheWriteFailed) as caught:
            change()
        assert caught.value.hint
        assert registrations.all() == before
    with pytest.raises(CacheWriteFailed):
        put_secret(open_cache(), HOST, None, "a-client", "dose-of-newer")
    done = lakekey("apps", "remove", "one")
    assert (done.returncode, "No space left" in done.stderr) == (1, True), done.stderr


def test_app_of_a_profile_is_kept_in_memory_on_a_full_disk(disk):
    """The portal makes it again when it starts."""
    registrations = Registrations(open_cache())
    registrations.add(APP)
    disk.fill()
    of_profile = APP._replace(name="prod", of_profile="prod", redirect_uri="https://apps.example.com/callback/prod")
    registrations.ensure(of_profile, among=registrations.all())
    assert registrations.get("prod").of_profile == "prod"


def test_command_that_can_keep_nothing_says_so(monkeypatch):
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", "/proc/lakekey")
    done = lakekey("apps", "add", "one", "--client-id", "a-client", "--host", HOST, "--portal", "https://a.example.com")
    assert (done.returncode, "the app would be gone after this command" in done.stderr) == (1, True), done.stderr


def test_page_of_the_administrator_shows_a_change_that_could_not_be_kept(visit, portal, monkeypatch):
    root = visit()
    page = root.get("/admin")

    def full(*_, **__):
        raise CacheWriteFailed("the disk is full", hint="free space")

    monkeypatch.setattr(portal.cache.store, "put", full)
    action, fields = page.form("Register")
    given = {"name": "second", "client_id": "second-app", "host": HOST, "secret": "dose-of-secret"}
    answer = root.post(action, {**fields, **given})
    assert (answer.status, "the disk is full" in answer.words) == (503, True)
    monkeypatch.undo()
    assert [app.name for app in portal.registrations.all()] == ["portal-app"]
