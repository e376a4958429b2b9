"""REST by hand: authentication for ``requests`` and ``httpx``, with one retry after a 401.

The token goes to the provider's own host and nowhere else, whatever address a request or a redirect names.
"""

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lakekey._hosts import routing_headers
from lakekey._imports import libraries
from lakekey.errors import ConfigurationError
from lakekey.providers import factory
from lakekey.providers.in_thread import in_a_thread
from lakekey.providers.provider import Provider
from lakekey.providers.sources import credentials_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Unpack

    import httpx
    import requests
    import requests.auth

    from lakekey.configuration.arguments import Settings

_PORTS = {"https": 443, "http": 80}


def requests_auth(profile: str | Provider | None = None, **settings: "Unpack[Settings]") -> "requests.auth.AuthBase":
    """Authentication for ``requests``: ``requests.get(url, auth=lakekey.requests_auth("prod"))``.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        **settings: lakekey's settings; see `lakekey.provider`.

    Raises:
        ConfigurationError: A setting is missing or wrong; later, a request goes to another host than the provider's.
    """
    with libraries():
        from requests.auth import AuthBase

    provider = _sole(profile, settings)

    class LakekeyAuth(AuthBase):
        def __call__(self, request: "requests.PreparedRequest") -> "requests.PreparedRequest":
            request.headers.update(_headers_for(provider, str(request.url)))
            _route(provider, str(request.url), request.headers)
            body_at = _position(request.body)

            def again(answer: "requests.Response", **options: Any) -> "requests.Response":
                return _repeat(provider, answer, body_at, options)

            request.hooks["response"].append(again)
            return request

    return LakekeyAuth()


def httpx_auth(profile: str | Provider | None = None, **settings: "Unpack[Settings]") -> "httpx.Auth":
    """Authentication for ``httpx``, for its sync and its async client.

    Args:
        profile: A profile's name, a provider, or ``None`` for the default chain.
        **settings: lakekey's settings; see `lakekey.provider`.

    Raises:
        ConfigurationError: As for `requests_auth`, or httpx is not installed.
    """
    try:
        with libraries():
            import httpx
    except ModuleNotFoundError:
        raise ConfigurationError("httpx is not installed", hint="pip install httpx") from None
    provider = _sole(profile, settings)

    def refuses(answer: httpx.Response, token: str) -> bool:
        """Whether the token was refused. Another host, to which a redirect led, has not even seen it."""
        if not _is_own(provider, str(answer.url)) or credentials_of(answer.request.headers) != token:
            return False
        if answer.is_success:
            provider.served(token)
        return answer.status_code == 401

    def again(request: httpx.Request) -> bool:
        """Whether it can be sent again, whole."""
        return isinstance(request.stream, httpx.ByteStream) or _is_whole_form(request.stream)

    # What is sent again is the request that was refused. Where a redirect led to it, the first one was served, and may
    # have done what it was to do (RFC 9110 §15.4.4).
    class LakekeyAuth(httpx.Auth):
        def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            token = _attach(request, _headers_for(provider, str(request.url)))
            _route(provider, str(request.url), request.headers)
            answer = yield request
            if refuses(answer, token) and provider.invalidate(token) and again(answer.request):
                token = _attach(answer.request, provider.headers())
                refuses((yield answer.request), token)

        async def async_auth_flow(self, request: httpx.Request) -> Any:
            # Renewing waits for the network: never on the event loop.
            token = _attach(request, await in_a_thread(lambda: _headers_for(provider, str(request.url))))
            _route(provider, str(request.url), request.headers)
            answer = yield request
            refused = refuses(answer, token) and await in_a_thread(lambda: provider.invalidate(token))
            if refused and again(answer.request):
                token = _attach(answer.request, await in_a_thread(provider.headers))
                refuses((yield answer.request), token)

    return LakekeyAuth()


def _sole(profile: str | Provider | None, settings: Mapping[str, object]) -> Provider:
    provider, rest = factory.resolve_provider(profile, settings)
    if rest:
        raise ConfigurationError(f"there is no setting {min(rest)!r}", profile=provider.target.name)
    return provider


def _headers_for(provider: Provider, url: str) -> dict[str, str]:
    if not _is_own(provider, url):
        parts = urlsplit(url)
        # Without the name and password that an address may hold.
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        raise ConfigurationError(
            f"a request to {place} would carry the token of {provider.target.host}",
            hint="use a provider for that host",
            profile=provider.target.name,
        )
    return provider.headers()


def _is_own(provider: Provider, url: str) -> bool:
    return _origin(url) == _origin(provider.target.host)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _attach(request: "httpx.Request", headers: dict[str, str]) -> str:
    request.headers.update(headers)
    return credentials_of(headers)


def _route(provider: Provider, url: str, headers: "MutableMapping[str, str]") -> None:
    """Say which workspace a request is for, where the caller has not. An account's calls are for none."""
    if "/accounts/" not in urlsplit(url).path:
        for name, value in routing_headers(provider.target.workspace_id).items():
            headers.setdefault(name, value)


def _position(body: Any) -> int | None:
    """Where a file that is sent begins, to send it again; ``None`` if it is not a file."""
    tell = getattr(body, "tell", None)
    try:
        return int(tell()) if tell is not None else None
    except OSError:
        return None


def _rewound(body: Any, body_at: int | None) -> bool:
    """Whether a body is at hand once more, from where it began. What can only be read is gone."""
    if body_at is None:
        return body is None or isinstance(body, (bytes, str))
    try:
        body.seek(body_at)
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _is_whole_form(stream: object) -> bool:
    """Whether a body of httpx's is a form, and none of its files is a pipe: httpx would send that again empty."""
    fields = getattr(stream, "fields", None)
    return fields is not None and all(_can_be_rewound(getattr(field, "file", b"")) for field in fields)


def _can_be_rewound(file: Any) -> bool:
    if isinstance(file, (bytes, str)):
        return True
    try:
        return bool(file.seekable())
    except AttributeError:
        return False


def _repeat(
    provider: Provider, answer: "requests.Response", body_at: int | None, options: dict[str, Any]
) -> "requests.Response":
    request = answer.request
    token = credentials_of(request.headers)
    if not token or not _is_own(provider, str(request.url)):
        return answer  # another host, to which a redirect led, has not even seen it, and may have led back
    if answer.ok:
        provider.served(token)
    # First of all: whatever becomes of this request, the next one is not to carry the refused token.
    if answer.status_code != 401 or not provider.invalidate(token):
        return answer
    if not _rewound(request.body, body_at):
        return answer  # a stream that is gone cannot be sent again
    if options.get("stream"):
        answer.close()  # its caller reads with bounds of its own, and this one may have no end
    else:
        answer.content  # noqa: B018 - read to the end, so that the connection can be used again
    again = request.copy()
    again.headers.update(provider.headers())
    repeated: requests.Response = answer.connection.send(again, **options)
    repeated.history.append(answer)
    if repeated.ok:
        provider.served(credentials_of(again.headers))
    return repeated
