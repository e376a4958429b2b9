"""The certified server, which others wrote, as the workspace of a profile ``prod`` and of a portal's app."""

from urllib.parse import urlsplit

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.opening import open_cache
from lakekey.web.registrations import Registrations
from support.web_browser import Browser


class Box:
    """What tests ask of the sandbox, asked of the certified server."""

    def __init__(self, server):
        self._server = server
        self.host, self.ca_file = server.host, server.ca_file

    def revoke(self, user):
        """Ends the sessions of a person."""
        self._server.revoke_all(user)

    def stored_refresh_tokens(self, user):
        """The refresh tokens of a person that would be accepted now."""
        return self._server.current_refresh_tokens(user)


class CertifiedPlace:
    """A profile ``prod`` for the certified server, and an app that is registered for the portal at an address."""

    app = "portal-app"
    secret = "a-secret-of-the-app-that-is-long-enough"

    def __init__(self, server, directory, url):
        self.server, self.box, self.url = server, Box(server), url
        self.redirect_uri = f"{url}/callback/{self.app}"
        server.add_client(
            client_id=self.app, client_secret=self.secret, application_type="web",
            token_endpoint_auth_method="client_secret_basic", redirect_uris=[self.redirect_uri],
        )  # fmt: skip
        self.config_file = directory / "databrickscfg"
        self.config_file.write_text(f"[prod]\nhost = {server.host}\nca_file = {server.ca_file}\n")

    def register(self):
        """Registers the app in the store that the environment names."""
        given = {"hosts": (self.server.host,), "secret": self.secret, "redirect_uri": self.redirect_uri}
        Registrations(open_cache()).add(AppRegistration(self.app, self.app, **given))

    def consent(self, url, user, *, decision="sign-in"):
        """A person signs in, or cancels; returns where the browser is sent."""
        return self.server.sign_in(url, user, decline=decision == "cancel", deliver=False).redirect

    def token_requests(self):
        """The code exchanges that the server has received."""
        return [each for each in self.server.log("token") if each.get("grant_type") == "authorization_code"]


class CertifiedBrowser(Browser):
    """A browser whose person signs in at the certified server."""

    def __init__(self, address, user, place, **options):
        super().__init__(address, user, place.box.ca_file, **options)
        self._place = place

    def back(self, url, signs_in=None, **options):
        """Signs in there; returns the callback's address as a path of the portal's host."""
        answer = urlsplit(self._place.consent(url, signs_in or self.user, **options))
        return f"{answer.path}?{answer.query}"
