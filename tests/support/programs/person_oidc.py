"""A person with a browser: opens the address, fills the forms in, follows the redirect home.

Knows no server in particular: it reads the forms it is shown. It runs in a test's own process
(`sign_in`) or as a program that ``BROWSER`` names, and then needs nothing but this file.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

_PAGES = 12  # a sign-in that needs more pages than this goes round in circles
_NO = ("cancel", "abort", "deny", "decline", "reject")
_IDENTITY_INPUTS = frozenset({"text", "email"})


@dataclass(frozen=True)
class SignIn:
    """How a sign-in ended.

    Attributes:
        redirect: The address the server sent the browser home to; None when it never did.
        status: The HTTP status of the last page.
        body: The text of the last page.
    """

    redirect: str | None
    status: int
    body: str

    @property
    def parameters(self) -> dict[str, str]:
        """The redirect's query: ``code``, ``state``, ``iss`` or ``error``."""
        query = urlsplit(self.redirect or "").query
        return {name: values[0] for name, values in parse_qs(query).items()}


@dataclass
class _Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)  # name, value, label


class _Page(HTMLParser):
    """The forms and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self.links: list[tuple[str, str]] = []  # address, label
        self._open: str | None = None
        self._label = ""
        self._target: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(_Form(values.get("action", ""), values.get("method", "get").lower()))
        elif tag == "input" and self.forms and values.get("name"):
            kind = values.get("type", "text").lower()
            if kind == "submit":
                self.forms[-1].buttons.append((values["name"], values.get("value", ""), values.get("value", "")))
            elif kind not in ("checkbox", "radio") or "checked" in values:
                self.forms[-1].fields[values["name"]] = values.get("value", "")
                self.forms[-1].kinds[values["name"]] = kind
        elif tag in ("a", "button"):
            self._open, self._label, self._target = tag, "", values

    def handle_data(self, data):
        if self._open:
            self._label += data

    def handle_endtag(self, tag):
        if tag != self._open:
            return
        label = self._label.strip()
        if tag == "a":
            self.links.append((self._target.get("href", ""), label))
        elif self.forms:
            name, value = self._target.get("name", ""), self._target.get("value", "")
            self.forms[-1].buttons.append((name, value, label))
        self._open = None


def sign_in(
    url: str,
    *,
    user: str,
    ca_file: str | Path | None = None,
    decline: bool = False,
    deliver: bool = True,
    timeout: float = 30,
) -> SignIn:
    """Plays the person from the authorize address to the page that says "you can close this tab".

    Args:
        url: Where the browser was sent.
        user: Typed wherever a page asks who this is.
        ca_file: PEM file to trust for TLS.
        decline: Press Cancel on the first page that offers it.
        deliver: Also open the address that the server redirects home to; False leaves that to the
            caller, as a person does who pastes it by hand.
        timeout: Seconds for each request.
    """
    with requests.Session() as browser:
        browser.trust_env = False  # a proxy or .netrc of the machine is none of the person's business
        browser.verify = str(ca_file) if ca_file else True
        browser.headers["User-Agent"] = "lakekey-test-person"
        server = urlsplit(url).netloc
        response = browser.get(url, allow_redirects=False, timeout=timeout)
        for _ in range(_PAGES):
            if response.is_redirect:
                target = urljoin(response.url, response.headers["Location"])
                if urlsplit(target).netloc != server:
                    return _go_home(browser, target, deliver=deliver, timeout=timeout)
                response = browser.get(target, allow_redirects=False, timeout=timeout)
                continue
            step = _next_step(response, user=user, decline=decline)
            if step is None:
                return SignIn(None, response.status_code, response.text)
            method, target, data = step
            key = "params" if method == "get" else "data"
            response = browser.request(method, target, allow_redirects=False, timeout=timeout, **{key: data})
    raise RuntimeError("the sign-in goes round in circles")


def _go_home(browser: requests.Session, target: str, *, deliver: bool, timeout: float) -> SignIn:
    if not deliver:
        return SignIn(target, 0, "")
    # Only the client itself listens there, so the pages' cookies have no business in it.
    browser.cookies.clear()
    response = browser.get(target, timeout=timeout)
    return SignIn(target, response.status_code, response.text)


def _next_step(response, *, user: str, decline: bool) -> tuple[str, str, dict[str, str]] | None:
    page = _Page(response.text)
    if decline:
        for address, label in page.links:
            if any(word in label.lower() for word in _NO):
                return "get", urljoin(response.url, address), {}
    if not page.forms:
        return None
    form = page.forms[0]
    data = dict(form.fields)
    for name, kind in form.kinds.items():
        if kind in _IDENTITY_INPUTS:
            data[name] = user
        elif kind == "password":
            data[name] = "a password"
    button = _choose(form.buttons, decline=decline)
    if button and button[0]:
        data[button[0]] = button[1]
    return form.method, urljoin(response.url, form.action), data


def _choose(buttons: Sequence[tuple[str, str, str]], *, decline: bool):
    def says_no(button: tuple[str, str, str]) -> bool:
        return any(word in part.lower() for part in button for word in _NO)

    return next((button for button in buttons if says_no(button) is decline), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program that ``BROWSER`` names."""
    parser = argparse.ArgumentParser(description="Signs in as a person would.")
    parser.add_argument("--user", default="ada@example.com")
    parser.add_argument("--ca-file")
    parser.add_argument("--decline", action="store_true")
    parser.add_argument("--after", type=float, default=0, metavar="SECONDS", help="think first")
    parser.add_argument("--tabs", metavar="FILE", help="add a line to FILE for each tab opened")
    parser.add_argument("url")
    options = parser.parse_args(arguments)
    if options.tabs:
        with open(options.tabs, "a", encoding="utf-8") as tabs:
            tabs.write(f"{options.user}\n")
    time.sleep(options.after)
    try:
        done = sign_in(options.url, user=options.user, ca_file=options.ca_file, decline=options.decline)
    except requests.RequestException as error:
        # Its text would hold the redirect with the code: the kind of failure is enough.
        print(f"the person gave up: {type(error).__name__}", file=sys.stderr)
        return 1
    return 0 if done.redirect and done.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
