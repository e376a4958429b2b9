"""The workspace's REST API, called in the name of a session: for the commands that look at a workspace."""

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from lakekey import _json
from lakekey._imports import libraries
from lakekey.errors import LakekeyError, TokenEndpointError
from lakekey.providers.provider import Provider

if TYPE_CHECKING:
    import requests

_PAGES = 20
_MOST = 32 << 20  # bytes of a page of a list
_FOR_PEOPLE = ("UI", "API")


class Compute(NamedTuple):
    """A SQL warehouse or a cluster.

    Attributes:
        id: Its id.
        name: Its name.
        state: Its state, such as ``RUNNING``.
    """

    id: str
    name: str
    state: str


class WorkspaceApi:
    """The REST API of a provider's host.

    Args:
        provider: Who calls.
        patience: Seconds to connect, and between two bytes of an answer.
    """

    def __init__(self, provider: Provider, *, patience: tuple[float, float] = (10.0, 60.0)) -> None:
        self._provider = provider
        self._patience = patience

    def call(self, method: str, path: str, body: bytes | None = None) -> "requests.Response":
        """Send one request.

        Args:
            method: ``GET``, ``POST``, ….
            path: The path, with a query where one is wanted; never an address of another host.
            body: A JSON document.

        Raises:
            LakekeyError: No session, or no answer came.
        """
        with libraries():
            import requests

            from lakekey import rest
        target = self._provider.target
        trusted = target.ca_file or next(
            (
                os.environ[name]
                for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
                if os.environ.get(name)
            ),
            True,
        )
        with requests.Session() as session:
            session.trust_env = not target.host.startswith("http:")  # loopback: a proxy would get the token in clear
            try:
                return session.request(
                    method,
                    target.host + path,
                    data=body,
                    headers={"Content-Type": "application/json"} if body is not None else None,
                    auth=rest.requests_auth(self._provider),
                    verify=trusted,
                    timeout=self._patience,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                reason = type(error).__name__
        raise TokenEndpointError(
            f"{target.host} does not answer ({reason})", hint=f"run: {target.doctor_command}", profile=target.name
        )

    def warehouses(self) -> list[Compute]:
        """The SQL warehouses that the caller may see.

        Raises:
            LakekeyError: They cannot be listed.
        """
        found = self._list("/api/2.0/sql/warehouses", "warehouses")
        return [Compute(_text(each, "id"), _text(each, "name"), _text(each, "state")) for each in found]

    def clusters(self) -> list[Compute]:
        """The clusters that people made; a job's own are gone when it ends.

        Raises:
            LakekeyError: They cannot be listed.
        """
        found = self._list("/api/2.1/clusters/list", "clusters")
        return [
            Compute(_text(each, "cluster_id"), _text(each, "cluster_name"), _text(each, "state"))
            for each in found
            if each.get("cluster_source", "UI") in _FOR_PEOPLE
        ]

    def _list(self, path: str, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = ""
        for _ in range(_PAGES):
            answer = self.call("GET", path + page)
            document = _document(answer)
            if answer.status_code != 200:
                said = str(document.get("message") or f"HTTP {answer.status_code}")[:200]
                raise LakekeyError(f"the {name} cannot be listed: {said}", hint="name one in the profile by its id")
            items = document.get(name)
            found += [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []
            token = document.get("next_page_token")
            if not isinstance(token, str) or not token:
                break
            from urllib.parse import quote

            page = f"?page_token={quote(token, safe='')}"
        return [each for each in found if _text(each, "id") or _text(each, "cluster_id")]


def _document(answer: "requests.Response") -> dict[str, Any]:
    try:
        document = _json.loads(answer.content, longest=_MOST)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return "".join(letter for letter in value if letter.isprintable()) if isinstance(value, str) else ""
