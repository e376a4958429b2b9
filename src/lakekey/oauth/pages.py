"""The pages that the browser shows when a sign-in comes back: no scripts, nothing loaded, nothing stored."""

from html import escape

HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    # The address of this page holds the authorization code: keep it out of referrers, caches and frames.
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto 0; padding: 0 1.5rem; }}
h1 {{ font-size: 1.5rem; font-weight: 600; }}
h1::before {{ content: "{mark}"; margin-right: .6rem; }}
p {{ margin: .6rem 0; overflow-wrap: anywhere; }}
.quiet {{ opacity: .7; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
<p class="quiet">You can close this tab.</p>
</body>
</html>
"""


def signed_in(who: str | None, host: str) -> bytes:
    """The sign-in succeeded."""
    person = f"<strong>{escape(who)}</strong> is" if who else "You are"
    return _page("Signed in", f"<p>{person} now connected to <strong>{escape(host)}</strong> through lakekey.</p>", "✓")


def failed(reason: str) -> bytes:
    """The sign-in did not succeed."""
    body = f"<p>{escape(reason)}</p><p>The program that asked for it says what to do next.</p>"
    return _page("Not signed in", body, "✗")


def unknown() -> bytes:
    """The browser came back, but the program was gone before it knew the outcome."""
    return _page("Sign-in received", "<p>See the program that asked for it for the outcome.</p>", "…")


def not_found() -> bytes:
    """Anything that is not the answer to the sign-in."""
    return _page("Nothing here", "<p>This address only receives the answer to a sign-in.</p>", "…")


def _page(title: str, body: str, mark: str) -> bytes:
    return _FRAME.format(title=title, body=body, mark=mark).encode()
