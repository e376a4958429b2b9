"""A workspace, an app that is registered for a portal there, and two people."""

import pytest

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.opening import open_cache
from lakekey.web.registrations import Registrations
from support.web_people import consent

URL = "https://portal.example.com/lakekey"
ADA, GRACE = "ada@example.com", "grace@example.com"


class Place:
    """The sandbox, a profile ``prod`` for it, and an app that is registered for the portal at `URL`."""

    def __init__(self, box, directory, name="portal-app", url=URL):
        self.box, self.directory, self.url, self.app = box, directory, url, name
        self.redirect_uri = f"{url}/callback/{name}"
        self.secret = "a-secret-of-the-app"
        box.register_client(
            name,
            client_secret=self.secret,
            redirect_uris=[self.redirect_uri],
            grants=("authorization_code", "refresh_token"),
            name="The portal",
        )
        self.config_file = directory / "databrickscfg"
        self.config_file.write_text(f"[prod]\nhost = {box.host}\nca_file = {box.ca_file}\n")

    def register(self, **fields):
        """Registers the app in the store."""
        given = {"hosts": (self.box.host,), "secret": self.secret, "redirect_uri": self.redirect_uri, **fields}
        return Registrations(open_cache()).add(AppRegistration(self.app, self.app, **given))

    def consent(self, url, user=ADA, **options):
        """A person answers the sign-in page; returns where the browser is sent."""
        return consent(url, user, self.box.ca_file, **options)

    def token_requests(self):
        """The requests that the token endpoint has received, by event."""
        return [record for record in self.box.log if record.route == "token"]


@pytest.fixture
def place(lakekey_environment, tmp_path, monkeypatch, unattended):
    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    lakekey_environment.revoke()  # what earlier tests of this run have left
    place = Place(lakekey_environment, tmp_path)
    place.register()
    return place
