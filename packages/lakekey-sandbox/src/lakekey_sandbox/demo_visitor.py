"""A user of the demo's service at a browser, played by HTTP: the portal's page, the sign-in page, and the way back."""

import re
from html import unescape
from urllib.parse import urljoin, urlsplit

import requests

from lakekey_sandbox.person import Person, SignInProblem

_SECONDS = 60
_ONWARD = re.compile(r'http-equiv="refresh" content="\d+;url=([^"]*)"')
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_STEPS = 6


class Visitor:
    """One browser of one user.

    Args:
        service: The service's address.
        portal: The path of the portal there.
        cookies: What the browser has from the service's own sign-in.
    """

    def __init__(self, service: str, portal: str, cookies: dict[str, str]) -> None:
        self._service, self._portal = service, portal
        # Not a jar: browsers take Secure cookies on loopback over http, which requests does not.
        self._cookies = dict(cookies)

    def connect(self, profile: str, *, user: str, ca_file: str) -> str:
        """Connect to a workspace.

        Args:
            profile: Which.
            user: Who signs in there.
            ca_file: The workspace's authority.

        Returns:
            The page that it ends with.

        Raises:
            SignInProblem: A page is not as it has to be.
        """
        page = self._ask("GET", f"{self._portal}/")
        form = page.text.partition(f'action="{self._portal}/connect/{profile}"')[2].partition("</form>")[0]
        if not form:
            raise SignInProblem(f"the portal's page has no button for {profile}")
        fields = {unescape(name): unescape(value) for name, value in _HIDDEN.findall(form)}
        page = self._ask("POST", f"{self._portal}/connect/{profile}", data=fields)
        page = self._ask("GET", Person(user, ca_file=ca_file).begin(_onward(page)))
        for _ in range(_STEPS):
            if _ONWARD.search(page.text) is None:
                return page.text
            page = self._ask("GET", _onward(page))
        raise SignInProblem("the portal's pages lead on without an end")

    def _ask(self, method: str, address: str, data: dict[str, str] | None = None) -> requests.Response:
        url = urljoin(self._service, address)
        if urlsplit(url).netloc != urlsplit(self._service).netloc:
            raise SignInProblem("the way back leads to another site")
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if method == "POST":
            headers |= {"Origin": self._service, "Sec-Fetch-Site": "same-origin"}
        with requests.Session() as session:
            session.trust_env = False  # no proxy for loopback, and no .netrc: a browser has none
            page = session.request(method, url, headers=headers, data=data, timeout=_SECONDS)
        self._cookies |= page.cookies.get_dict()
        if not page.ok:
            raise SignInProblem(f"the portal answered {page.status_code}")
        return page


def _onward(page: requests.Response) -> str:
    found = _ONWARD.search(page.text)
    if found is None:
        raise SignInProblem("the portal's page leads nowhere")
    return urljoin(page.url, unescape(found[1]))
