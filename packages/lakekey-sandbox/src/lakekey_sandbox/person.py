"""A person at the sign-in page: opens the address, answers the form, follows the browser's way home.

As a program it is a browser for ``BROWSER``: ``python -m lakekey_sandbox.person --user ada@example.com
--ca-file ca.pem %s``.
"""

import argparse
import logging
import shlex
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Literal
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from lakekey._hosts import LOOPBACK

Decision = Literal["sign-in", "cancel"]

LOG = logging.getLogger("lakekey.sandbox.person")

_SECONDS = 30
_REDIRECTS = 5


class SignInProblem(Exception):
    """The sign-in could not be played to its end; the message says where it stopped, and holds no secret."""


@dataclass
class Person:
    """Plays one person's part of a sign-in by HTTP.

    Calling it with the authorization URL does what opening a browser does, so it goes wherever a callable
    takes an address: ``person(url)``.

    Attributes:
        user: Who signs in.
        ca_file: The authority's certificate (PEM) that the sandbox's own is checked against.
        decision: ``sign-in``, or ``cancel`` for a person who declines.
        problem: What went wrong in the last call, or ``None``.
        final_page: The text of the last page that was seen.
    """

    user: str
    ca_file: str
    decision: Decision = "sign-in"
    problem: str | None = field(default=None, init=False)
    final_page: str = field(default="", init=False, repr=False)

    def __call__(self, url: str) -> bool:
        """Plays the sign-in.

        Args:
            url: The authorization request (RFC 6749 §4.1.1).

        Returns:
            Whether the client's callback got its answer; where not, ``problem`` says why.
        """
        self.problem = None
        try:
            self.answer(url)
        except SignInProblem as problem:
            self.problem = str(problem)
            LOG.warning("%s", problem)
            return False
        return True

    def answer(self, url: str) -> None:
        """Plays the sign-in.

        Args:
            url: The authorization request.

        Raises:
            SignInProblem: It stopped before the client's callback had an answer.
        """
        with self._browser() as browser:
            self._follow(browser, self._answered(browser, url))

    def begin(self, url: str) -> str:
        """Answer the sign-in page alone.

        Args:
            url: The authorization request.

        Returns:
            Where the browser is sent then: the callback of the client, with the answer.

        Raises:
            SignInProblem: The page does not send it anywhere.
        """
        with self._browser() as browser:
            page = self._answered(browser, url)
            return urljoin(page.url, page.headers["Location"])

    def command(self) -> str:
        """The value for ``BROWSER`` that lets this person answer in a process of its own."""
        parts = [sys.executable, "-m", "lakekey_sandbox.person", "--user", self.user, "--ca-file", self.ca_file]
        parts += ["--decision", self.decision]
        return f"{shlex.join(parts)} %s"

    def _browser(self) -> requests.Session:
        browser = requests.Session()
        # No proxy for loopback, and no .netrc: a browser has none.
        browser.trust_env = False
        browser.verify = self.ca_file
        return browser

    def _answered(self, browser: requests.Session, url: str) -> requests.Response:
        page = self._get(browser, url)
        if not page.is_redirect:
            page = self._submit(browser, page)
        if not page.is_redirect:
            raise SignInProblem(f"the sign-in page answered {page.status_code}: {_text(page)}")
        return page

    def _submit(self, browser: requests.Session, page: requests.Response) -> requests.Response:
        form = _Form(page)
        if not form.found:
            raise SignInProblem(f"there is no sign-in form; the page answered {page.status_code}: {_text(page)}")
        if self.user not in form.choices("user"):
            raise SignInProblem(f"{self.user} is not among the people who can sign in")
        target = urljoin(page.url, form.action)
        if urlsplit(target)[:2] != urlsplit(page.url)[:2]:
            raise SignInProblem("the sign-in form would be sent to another site")
        fields = {**form.hidden, "user": self.user, "decision": self.decision}
        return self._send(browser, "POST", target, data=fields)

    def _follow(self, browser: requests.Session, page: requests.Response) -> None:
        """Follows the redirects to the client's callback, all of which must be on this machine."""
        refusal = None
        for _ in range(_REDIRECTS):
            target = urljoin(page.url, page.headers["Location"])
            refusal = refusal or parse_qs(urlsplit(target).query).get("error", [None])[0]
            page = self._get(browser, target)
            if not page.is_redirect:
                break
        self.final_page = page.text
        if not page.ok and refusal is None:
            raise SignInProblem(f"the client's callback answered {page.status_code}: {_text(page)}")
        expected = "access_denied" if self.decision == "cancel" else None
        if refusal != expected:
            raise SignInProblem(f"the authorization server answered {refusal or 'with a code'}")

    def _get(self, browser: requests.Session, url: str) -> requests.Response:
        return self._send(browser, "GET", url)

    def _send(self, browser: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
        where = urlsplit(url)
        if where.hostname not in LOOPBACK or where.scheme not in ("http", "https"):
            raise SignInProblem(f"{where.hostname} is not on this machine")
        try:
            return browser.request(method, url, allow_redirects=False, timeout=_SECONDS, **options)
        except requests.RequestException as error:
            # The error's text may quote the URL, and with it the authorization code.
            raise SignInProblem(f"{where.scheme}://{where.netloc} cannot be reached: {type(error).__name__}") from None


class _Form(HTMLParser):
    """The first form of a page."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.found = False
        self.action = ""
        self.hidden: dict[str, str] = {}
        self._choices: list[tuple[str, str]] = []
        self.feed(page.text)

    def choices(self, name: str) -> list[str]:
        """The values that a field can take."""
        return [value for field_name, value in self._choices if field_name == name]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the form and its fields."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.found:
            self.found, self.action = True, values.get("action", "")
        elif tag == "input" and values.get("type") == "hidden":
            self.hidden[values.get("name", "")] = values.get("value", "")
        elif tag in ("input", "button", "option"):
            self._choices.append((values.get("name", ""), values.get("value", "")))


class _Words(HTMLParser):
    """The words of a page's body."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.words: list[str] = []
        self.feed(page.text.partition("<body>")[2] or page.text)

    def handle_data(self, data: str) -> None:
        """Notes a run of text."""
        self.words += data.split()


def _text(page: requests.Response) -> str:
    """The beginning of a page's words, for a message."""
    return " ".join(_Words(page).words)[:300]


def main(arguments: list[str] | None = None) -> int:
    """Runs the person as a program.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit status: 0 where the callback got its answer, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m lakekey_sandbox.person", description=__doc__)
    parser.add_argument("url", help="the authorization request")
    parser.add_argument("--user", required=True, help="who signs in")
    parser.add_argument("--ca-file", required=True, help="the sandbox's certificate authority, PEM")
    parser.add_argument("--decision", choices=("sign-in", "cancel"), default="sign-in")
    options = parser.parse_args(arguments)
    try:
        Person(options.user, ca_file=options.ca_file, decision=options.decision).answer(options.url)
    except SignInProblem as problem:
        sys.stderr.write(f"sign-in as {options.user}: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
