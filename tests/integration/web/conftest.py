"""A workspace, an app that is registered for a portal there, and two people."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.opening import open_cache
from lakekey.web import Portal
from lakekey.web.registrations import Registrations
from support.web_browser import Browser
from support.web_certified import CertifiedPlace
from support.web_chromium import PortalChromium
from support.web_people import consent
from support.web_server import serving

URL = "https://portal.example.com/lakekey"
ADA, GRACE, ROOT = "ada@example.com", "grace@example.com", "root@example.com"
#: The key of a store that hosts share.
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class Place:
    """The sandbox, a profile ``prod`` for it, and an app that is registered for the portal at `URL`."""

    def __init__(self, box, directory, name="portal-app", url=URL):
        self.box, self.directory, self.url, self.app = box, directory, url, name
        self.redirect_uri = f"{url}/callback/{name}"
        self.secret = "a-secret-of-the-app"
        self.at_server(name)
        self.config_file = directory / "databrickscfg"
        self.config_file.write_text(f"[prod]\nhost = {box.host}\nca_file = {box.ca_file}\n")

    def named(self, name, url):
        """The same with another app, at another address."""
        return Place(self.box, self.directory, name, url)

    def browser(self, address, user, **options):
        """A browser of a person who signs in here."""
        return Browser(address, user, self.box.ca_file, **options)

    def chromium(self, directory, **options):
        """A real browser of such a person."""
        return PortalChromium(directory, [self.box.host], **options)

    def at_server(self, name):
        """Registers an app at the authorization server."""
        self.box.register_client(
            name,
            client_secret=self.secret,
            redirect_uris=[f"{self.url}/callback/{name}"],
            grants=("authorization_code", "refresh_token"),
            name="The portal",
        )

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
def portal_host(monkeypatch, unattended):
    """A machine that no person is at, and whose environment names no workspace."""
    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID", "BROWSER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def place(lakekey_environment, tmp_path, portal_host):
    lakekey_environment.revoke()  # what earlier tests of this run have left
    place = Place(lakekey_environment, tmp_path)
    place.register()
    return place


@pytest.fixture
def certified_place(bare_machine, portal_host, oidc_server, tmp_path, monkeypatch):
    """The same before a server that others wrote. A module that imports it as ``place`` runs its tests there."""
    place = CertifiedPlace(oidc_server, tmp_path, URL)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(place.config_file))
    place.register()
    return place


@pytest.fixture
def portal(place):
    return Portal(["prod"], url=URL, user=lambda request: request.headers.get("x-user"), admin=[ROOT])


@pytest.fixture
def visit(portal, place):
    """Opens the browser of a person, an administrator unless told otherwise."""
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        yield lambda user=ROOT, **options: place.browser(address, user, **options)
