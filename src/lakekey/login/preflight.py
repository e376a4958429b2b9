"""What is wrong with a custom OAuth app, reported before a browser opens and shows the server's own, terser page.

The platform's built-in clients are registered rightly and are not checked.
"""

import contextlib
import json
import re
from html import unescape
from urllib.parse import parse_qs, urljoin, urlsplit

from lakekey import _commands, _log
from lakekey.configuration.target import Target
from lakekey.errors import ConfigurationError, CredentialsRefused, LoginFailed, TokenEndpointError
from lakekey.login.ports import is_built_in
from lakekey.oauth.answer import Answer
from lakekey.oauth.authorization_code import AuthorizationRequest, begin
from lakekey.oauth.client import Client
from lakekey.oauth.transport_errors import printable

# What servers say → the setting that is likely wrong. Entra ID's numbers stand beside the words of the others.
_REDIRECT = re.compile(r"redirect[_ -]?ur[il]|AADSTS50011|AADSTS500113|AADSTS900971", re.IGNORECASE)
_CLIENT = re.compile(r"AADSTS700016|invalid_client|client_id|client is invalid|unknown client|application with ident",
                     re.IGNORECASE)  # fmt: skip
_SCOPE = re.compile(r"invalid_scope|scope|AADSTS70011|AADSTS650053", re.IGNORECASE)
_SECRET_MISSING = re.compile(r"AADSTS7000218|no client authentication|client_secret", re.IGNORECASE)
_SECRET_WRONG = re.compile(r"AADSTS7000215|AADSTS7000222", re.IGNORECASE)
_SPA = re.compile(r"AADSTS900232[67]", re.IGNORECASE)
# Entra ID's page for a refused app comes with status 200, and its words are in the configuration of its script.
_ENTRA_PAGE = re.compile(rb'"strServiceExceptionMessage"\s*:\s*("AADSTS(?:[^"\\\n]|\\.){1,1000}")')
_HIDDEN = (b"script", b"style", b"title")


def check(target: Target, client: Client, request: AuthorizationRequest) -> None:
    """Ask the authorization endpoint whether it takes this app's requests, without signing in.

    A request of its own is sent, so that the person's ``state`` and challenge are seen by the browser alone. What
    cannot be told apart from a sign-in page counts as one: the browser shows the rest.

    Raises:
        LoginFailed: The server refuses the app; the hint names the setting.
    """
    if is_built_in(client.client_id):
        return
    probe = begin(client, request.redirect_uri, login_hint=target.user, extras=target.authorize_extras)
    try:
        answer = _page(client, probe.url)
        if (onward := _handed_on(probe.url, answer.location)) is not None:
            answer = _page(client, onward)
    except (TokenEndpointError, ConfigurationError) as error:
        _log.debug("login", "the authorization endpoint could not be asked ahead: %s", error.message)
        return
    said = None
    if answer.location is not None and answer.location.startswith(request.redirect_uri):
        fields = parse_qs(answer.location.partition("?")[2])
        # login_required and its kin do not refuse the app, but a request without a person.
        if fields.get("error", [""])[0] in ("invalid_scope", "unauthorized_client", "invalid_request"):
            said = " ".join([fields["error"][0], *fields.get("error_description", [])])
    elif (entra := _ENTRA_PAGE.search(answer.body)) and answer.status < 500:
        said = _words(_unquoted(entra[1]))
    elif 400 <= answer.status < 500 and answer.status != 429:
        said = _words(answer.body)
    if said is not None:
        raise LoginFailed(
            f"the server refuses this app's sign-ins ({said[:300]})",
            hint=_hint(target, said, request.redirect_uri),
            profile=target.name,
        )


def _page(client: Client, url: str) -> Answer:
    return client.transport.get(url, headers={"Accept": "text/html"})


def _handed_on(url: str, location: str | None) -> str | None:
    """Where a host that Entra ID backs hands the request on to; ``None`` if the answer is for the person."""
    with contextlib.suppress(ValueError):  # not an address
        onward = urljoin(url, location or "")
        if location and urlsplit(onward).path.endswith("/authorize"):
            return onward
    return None


def explained(target: Target, error: CredentialsRefused) -> CredentialsRefused:
    """A refusal of the token endpoint, with the setting that is likely wrong as its hint."""
    said = f"{error.error} {error.message}"
    if error.error == "invalid_client" and not _SECRET_WRONG.search(said):
        said += " client_secret"
    return CredentialsRefused(error.message, error=error.error, hint=_hint(target, said, None), profile=target.name)


def _hint(target: Target, said: str, redirect_uri: str | None) -> str:  # noqa: PLR0911 - one return a diagnosis
    where = f"of the app {target.client_id}"
    seal = f"lakekey secret set {_commands.profile(target.profile) if target.profile else ''}".rstrip()
    if _SPA.search(said):
        return f"register the redirect address {where} for mobile and desktop applications, not for a single page"
    if redirect_uri and _REDIRECT.search(said):
        return f"register the redirect URL {redirect_uri} {where}, or set redirect_url to one that is registered"
    if _SECRET_WRONG.search(said) or (target.client_secret and _SECRET_MISSING.search(said)):
        return f"the secret {where} is wrong or has expired: {seal}"
    if _SECRET_MISSING.search(said) and not redirect_uri:
        return f"the app may be confidential and want its secret: {seal}"
    if _CLIENT.search(said):
        return f"check client_id: the server does not know {target.client_id} (a new app takes up to 30 minutes)"
    if _SCOPE.search(said):
        return f"one of the scopes {', '.join(target.scopes)} is not allowed: fix scopes, or the registration {where}"
    return f"compare client_id, redirect_url and scopes with the registration {where}"


def _unquoted(string: bytes) -> bytes:
    """What a string of a script says, as far as it can be read."""
    with contextlib.suppress(ValueError):
        return str(json.loads(string)).encode()
    return string


def _words(page: bytes) -> str:
    """What a page says, as one line of plain text."""
    text = _without_markup(page[:65536]).decode("utf-8", "replace")
    with contextlib.suppress(ValueError):  # a character's number with more digits than Python reads
        text = unescape(text)
    return printable(" ".join(text.split()))[:600]


def _without_markup(page: bytes) -> bytes:
    """The text between the tags; read once from front to end, whatever is in it."""
    small = page.lower()
    shown, at = [], 0
    while (tag := page.find(b"<", at)) >= 0:
        shown.append(page[at:tag])
        hidden = next((name for name in _HIDDEN if small.startswith(name, tag + 1)), None)
        closing = small.find(b"</" + hidden, tag) if hidden else tag
        end = page.find(b">", closing) if closing >= 0 else -1
        if end < 0:  # what is not closed hides the rest
            return b" ".join(shown)
        at = end + 1
    return b" ".join([*shown, page[at:]])
