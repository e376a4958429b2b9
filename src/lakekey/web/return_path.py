"""Where a browser may be sent at the end of a sign-in: a path of this very host, and nothing else (RFC 9700 §4.11)."""

import re
from urllib.parse import urlsplit

# No backslash, which browsers read as a slash; no control character, which they leave out; no second slash at the
# beginning, which would begin a host.
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f-\U0010ffff]*")
# A step back, also where its dots are encoded (WHATWG URL, "double-dot URL path segment"): a path that is taken apart
# by one rule and put together by another may begin with two slashes then.
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
_LONGEST = 2000


def checked(given: str | None) -> str:
    """The path, with its query, if it is one of this host; ``""`` otherwise."""
    if not given or len(given) > _LONGEST or not _PATH.fullmatch(given):
        return ""
    try:
        parts = urlsplit(given)
    except ValueError:
        return ""
    steps_back = any(_DOTS.fullmatch(step) for step in parts.path.split("/"))
    return given if not (parts.scheme or parts.netloc or steps_back) else ""
