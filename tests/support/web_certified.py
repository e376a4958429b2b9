"""The certified server, which others wrote, as the workspace of a profile ``prod`` and of a portal's app."""

from typing import NamedTuple
from urllib.parse import urlsplit

from lakekey.cache.app_registrations import AppRegistration
from lakekey.cache.opening import open_cache
from lakekey.web.registrations import Registrations
from support.web_browser import Browser
from support.web_chromium import PortalChromium
from support.web_people import Refused

#: The sandbox's name of a route, where the certified server's is another.
ROUTES = {"scim": "me"}
#: The pages that a person sees there.
PAGES = ("authorize", "interaction", "resume")


class Record(NamedTuple):
    """A request that the server has received."""

    route: str
    status: int | None


class Box:
    """What tests ask of the sandbox, asked of the certified server."""

    def __init__(self, server):
        self._server = server
        self.host, self.ca_file, self.warehouse_id = server.host, server.ca_file, "none"
        principal = server.service_principal
        self.client_id, self.client_secret = principal.client_id, principal.client_secret

    def register_client(self, name, *, client_secret=None, redirect_uris=(), **_):
        """Registers an app; one that is there already has the new settings from now on."""
        method = "client_secret_basic" if client_secret else "none"
        secret = {"client_secret": client_secret} if client_secret else {}
        self._server.add_client(
            client_id=name, application_type="web", token_endpoint_auth_method=method,
            redirect_uris=list(redirect_uris), **secret,
        )  # fmt: skip

    def revoke(self, user):
        """Ends the sessions of a person."""
        self._server.revoke_all(user)

    def stored_refresh_tokens(self, user):
        """The refresh tokens of a person that would be accepted now."""
        return self._server.current_refresh_tokens(user)

    @property
    def log(self):
        """The requests, in order."""
        return [Record(each["route"], each["status"]) for each in self._server.log()]

    def fault(self, route, *, times=1, status=None, body=None, headers=None, delay=0, hang=False):
        """The next requests of a route go wrong, as the sandbox's do."""
        name = ROUTES.get(route, route)
        if hang:
            self._server.fault(name, "hang", times=times)
        elif delay:
            self._server.fault(name, "delay", times=times, seconds=delay)
        elif status is not None or body is not None:
            given = {} if body is None else {"body": body}
            self._server.fault(name, "status", times=times, status=status or 200, **given)
        else:
            for page in PAGES if name == "authorize" else (name,):
                self._server.fault(page, "edit", times=times, headers=headers)

    def clear_faults(self):
        """Ends all faults."""
        self._server.clear_faults()

    @property
    def faults_left(self):
        """How many requests are still to go wrong."""
        return sum(each["times"] - each["hits"] for each in self._server.call("faults"))


class CertifiedPlace:
    """A profile ``prod`` for the certified server, and an app that is registered for the portal at an address."""

    secret = "a-secret-of-the-app-that-is-long-enough"

    def __init__(self, server, directory, url, app="portal-app"):
        self.server, self.box, self.directory, self.url, self.app = server, Box(server), directory, url, app
        self.redirect_uri = f"{url}/callback/{app}"
        self.box.register_client(app, client_secret=self.secret, redirect_uris=[self.redirect_uri])
        self.config_file = directory / "databrickscfg"
        self.config_file.write_text(f"[prod]\nhost = {server.host}\nca_file = {server.ca_file}\n")

    def named(self, app, url):
        """The same with another app, at another address."""
        return CertifiedPlace(self.server, self.directory, url, app)

    def register(self, **fields):
        """Registers the app in the store that the environment names."""
        given = {"hosts": (self.server.host,), "secret": self.secret, "redirect_uri": self.redirect_uri, **fields}
        Registrations(open_cache()).add(AppRegistration(self.app, self.app, **given))

    def consent(self, url, user="ada@example.com", *, decision="sign-in"):
        """A person signs in, or cancels; returns where the browser is sent."""
        done = self.server.sign_in(url, user, decline=decision == "cancel", deliver=False)
        if done.redirect is None:
            raise Refused(done.body)
        return done.redirect

    def browser(self, address, user, **options):
        """A browser of a person who signs in here."""
        return CertifiedBrowser(address, user, self, **options)

    def chromium(self, directory, **options):
        """A real browser of such a person."""
        return CertifiedChromium(directory, [self.server.host], **options)

    def token_requests(self):
        """The requests that the token endpoint has received."""
        return self.server.log("token")


class CertifiedBrowser(Browser):
    """A browser whose person signs in at the certified server."""

    def __init__(self, address, user, place, **options):
        super().__init__(address, user, place.box.ca_file, **options)
        self._place = place

    def back(self, url, signs_in=None, **options):
        """Signs in there; returns the callback's address as a path of the portal's host."""
        answer = urlsplit(self._place.consent(url, signs_in or self.user, **options))
        return f"{answer.path}?{answer.query}"


class CertifiedChromium(PortalChromium):
    """A real browser before the certified server's pages."""

    def is_asked(self):
        """Waits for the server's page."""
        self.reads("Sign-in")

    def signs_in(self, user):
        """Signs in there, and agrees."""
        self.is_asked()
        name = "input[name=login]"
        self._call("POST", f"/element/{self._element(name)}/clear", {})  # the name that the portal expects is there
        self.type(name, user)
        self.type("input[name=password]", "a password")
        self.choose("button[type=submit]")
        self.reads("Authorize")
        self.choose("button[type=submit]")

    def complaints(self):
        """What the console says, but for the server's pages, whose fonts and icon are not on this machine."""
        theirs = ("https://fonts.", self._trust[0])
        return [each for each in super().complaints() if not each.startswith(theirs)]

    def cancels(self):
        """Leaves by the server's own link."""
        self.choose("a[href$='/abort']")
