"""People at browsers: what a person does between a service's page and the sandbox's sign-in page."""

import re
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests


class Refused(Exception):
    """The sandbox's page refused; it has the page's words."""


def consent(url: str, user: str, ca_file: str, *, decision: str = "sign-in") -> str:
    """Signs in, or cancels, at the sandbox's page.

    Args:
        url: The authorization request.
        user: Who signs in.
        ca_file: The sandbox's authority.
        decision: ``sign-in`` or ``cancel``.

    Returns:
        Where the browser is sent then: the callback's address.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.verify = ca_file
        page = session.get(url, timeout=30, allow_redirects=False)
        if page.status_code != 200:
            raise Refused(page.text)
        action = re.search(r'<form method="post"(?: action="([^"]*)")?', page.text)
        target = urljoin(url, (action[1] or "") if action else "") if action and action[1] else url
        answer = session.post(target, data={"user": user, "decision": decision}, timeout=30, allow_redirects=False)
        if "Location" not in answer.headers:
            raise Refused(answer.text)
        return answer.headers["Location"]


def query_of(url: str) -> str:
    """The query of an address."""
    return urlsplit(url).query


def parameters_of(url: str) -> dict[str, str]:
    """The parameters of an address."""
    return dict(parse_qsl(query_of(url)))
