"""What went wrong on the way to a server, in words: the libraries' errors nest the reason, and may quote secrets."""

from lakekey._imports import libraries

TRY_AGAIN = "check the network, and try again"
LONGEST = 120  # characters of another party's text in an error


def late(host: str, proxy: str | None) -> str:
    """That no answer came in time. Which of the two is silent, a host or the proxy on the way, nothing tells."""
    return f"{host} did not answer in time{f' through the proxy {proxy}' if proxy else ''}"


def explained(
    error: Exception, host: str, proxy: str | None = None, *, handled: BaseException | None = None
) -> tuple[str, str, bool]:
    """What went wrong, the next step, and whether the same request may succeed in a moment.

    Args:
        error: The library's.
        host: What was asked.
        proxy: The proxy on the way.
        handled: What the program was handling as it asked: the context of all that is raised then, and no reason of it.
    """
    with libraries():
        import ssl
        from http.client import HTTPException, IncompleteRead

        from requests import exceptions
        from urllib3.exceptions import InvalidHeader

    causes = _causes(error, handled)
    cause = causes[-1]
    if isinstance(error, exceptions.SSLError):
        hint = "if its certificate comes from a private CA, set ca_file in the profile or REQUESTS_CA_BUNDLE"
        # Its certificate is the same one in a moment.
        return f"TLS with {host} failed: {_in_words(cause)}", hint, not isinstance(cause, ssl.SSLCertVerificationError)
    if isinstance(error, exceptions.Timeout):
        return late(host, proxy), TRY_AGAIN, True
    if isinstance(error, exceptions.ProxyError | exceptions.InvalidProxyURL) or any(map(_is_of_socks, causes)):
        return f"the proxy on the way to {host} failed: {_in_words(cause)}", "check HTTPS_PROXY", True
    if isinstance(error, exceptions.InvalidSchema):
        return f"the proxy on the way to {host}: {_in_words(cause)}", "pip install 'requests[socks]'", True
    unreadable = next((each for each in causes if isinstance(each, HTTPException | InvalidHeader)), None)
    if unreadable is not None and not isinstance(unreadable, ConnectionError):  # which says that nothing came
        # The length of a chunk that is no number counts as an incomplete answer, too.
        cut_off = isinstance(unreadable, IncompleteRead)
        problem = "is incomplete" if cut_off else f"cannot be read: {type(unreadable).__name__}"
        hint = "try again; if it happens again, look for a proxy or gateway on the way that changes answers"
        return f"the answer of {host}, or of a proxy, {problem}", hint, True
    return f"cannot reach {host}: {_in_words(cause)}", "check the host name and the network", True


def printable(text: str) -> str:
    """Text of a server or of the address bar, without what a terminal would act on."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _causes(error: BaseException, handled: BaseException | None) -> list[BaseException]:
    """The error and its reasons, the innermost one last: the library nests it several exceptions deep."""
    found = [error]
    seen = {id(error)}
    while True:
        context = error.__context__ if error.__context__ is not handled else None
        inner = error.__cause__ or context or getattr(error, "reason", None)
        if inner is None and error.args and isinstance(error.args[-1], BaseException):
            inner = error.args[-1]
        if not isinstance(inner, BaseException) or id(inner) in seen:
            break
        seen.add(id(inner))
        found.append(inner)
        error = inner
    return found


def _is_of_socks(error: BaseException) -> bool:
    """Whether PySocks says it, of a SOCKS proxy. Its texts are its own, and quote no password."""
    return type(error).__module__ == "socks"


def _in_words(error: BaseException) -> str:
    """What went wrong, without what the server said: a first line that is not HTTP may repeat the form and its secrets.

    Nor what the library says of a request that it cannot build, since it quotes the header.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, ConnectionError) or type(error) is OSError or _is_of_socks(error):
        return printable(str(error))[:LONGEST] or type(error).__name__
    return type(error).__name__
