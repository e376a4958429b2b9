"""A browser before a portal: cookies, forms, and pages that move on by themselves."""

import html
import re
from urllib.parse import urlsplit

import requests

from support.web_people import consent


class Page:
    """What a browser shows."""

    def __init__(self, answer):
        self.status, self.text, self.headers = answer.status_code, answer.text, answer.headers

    @property
    def words(self):
        """The words of its body."""
        body = re.sub(r"<style>.*?</style>", "", self.text, flags=re.DOTALL)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())

    @property
    def onward(self):
        """Where it moves on to by itself, or ``None``."""
        found = re.search(r'<meta http-equiv="refresh" content="\d+;url=([^"]*)">', self.text)
        return html.unescape(found[1]) if found else None

    @property
    def buttons(self):
        """What its buttons say."""
        return [html.unescape(label) for label in re.findall(r"<button[^>]*>(.*?)</button>", self.text)]

    def form(self, button):
        """The action and the fields of the form with such a button."""
        for action, inside in re.findall(
            r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', self.text, re.DOTALL
        ):
            if html.unescape(re.search(r"<button[^>]*>(.*?)</button>", inside)[1]) == button:
                inputs = [each for each in re.findall(r"<input[^>]*>", inside) if _is_sent(each)]
                fields = [found for each in inputs for found in re.findall(r'name="([^"]*)" value="([^"]*)"', each)]
                return html.unescape(action), {name: html.unescape(value) for name, value in fields}
        raise AssertionError(f"no button {button!r} on: {self.words}")


def _is_sent(field):
    return 'type="checkbox"' not in field or " checked" in field


class Browser:
    """A person's browser, and the proxy that ends TLS before the portal.

    Args:
        address: Where the server listens.
        user: Who is signed in to the host application, or ``None``.
        ca_file: The sandbox's authority.
        origin: The portal's origin, as the browser sees it.
        base: The portal's path there.
        language: What the browser prefers.
    """

    def __init__(self, address, user, ca_file, *, origin="https://portal.example.com", base="/lakekey", language="en"):
        self.address, self.user, self.ca_file, self.origin, self.base = address, user, ca_file, origin, base
        self.language = language
        self.cookies = {}

    def request(self, method, path, *, headers=None, **options):
        """One request; redirects are not followed."""
        sent = {
            "Host": urlsplit(self.origin).netloc,
            "Accept-Language": self.language,
            "Accept": "text/html",
            "Connection": "close",
            **({"X-User": self.user} if self.user else {}),
            **(
                {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
            ),
            **(headers or {}),
        }
        sent = {name: value for name, value in sent.items() if value is not None}
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method, self.address + path, headers=sent, allow_redirects=False, timeout=60, **options
            )
        for name, value in re.findall(r"(?:^|, )([A-Za-z_-]+)=([^;,]*); ", answer.headers.get("Set-Cookie", "")):
            self.cookies[name] = value
        return Page(answer)

    def get(self, path="/", **options):
        """Opens a page of the portal."""
        return self.request("GET", self.base + path, **options)

    def press(self, page, button, **headers):
        """Submits a form, as a browser does."""
        action, fields = page.form(button)
        return self.post(action, fields, **headers)

    def post(self, action, fields, **headers):
        """Posts a form from the portal's own page."""
        given = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **headers}
        return self.request("POST", action, data=fields, headers=given)

    def leave(self, button="Connect prod"):
        """Presses a button that leads to the authorization server; returns that address."""
        page = self.press(self.get(), button)
        assert page.onward, page.words
        return page.onward

    def back(self, url, signs_in=None, **options):
        """Signs in there; returns the callback's address as a path of the portal's host."""
        answer = urlsplit(consent(url, signs_in or self.user, self.ca_file, **options))
        return f"{answer.path}?{answer.query}"

    def arrive(self, path):
        """Opens the callback, and goes where its page goes."""
        page = self.request("GET", path)
        while page.onward:
            page = self.request("GET", page.onward)
        return page

    def connect(self, button="Connect prod", signs_in=None):
        """The whole way."""
        return self.arrive(self.back(self.leave(button), signs_in))
