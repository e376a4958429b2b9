"""The pages that the browser shows when a sign-in comes back: nothing loaded, nothing stored, one line of script."""

import base64
import hashlib
from html import escape
from urllib.parse import urlsplit

STYLE = """
:root { color-scheme: light dark; --ink: #16202a; --paper: #ffffff; --quiet: #56626e; --good: #1a7f4b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf2; --paper: #12171c; --quiet: #9aa7b3; --good: #5fd394; --bad: #ff8a80; }
}
body { font: 1.05rem/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 36rem; margin: 16vh auto 0; padding: 0 1.5rem 3rem; }
h1 { font-size: 1.6rem; font-weight: 600; margin: 0 0 1rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
p, dl { margin: .7rem 0; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { color: var(--quiet); } dd { margin: 0; font-weight: 600; }
.quiet { color: var(--quiet); }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# Takes the code and the state out of the address bar and the history; the page says the same without it.
SCRIPT = "history.replaceState(null, '', location.pathname)"
_SCRIPT_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; script-src 'sha256-{_SCRIPT_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    # The address of this page holds the authorization code: keep it out of referrers, caches and frames
    # (RFC 9700 §4.2.4 and §4.16).
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · lakekey</title>
<link rel="icon" href="data:,">
<style>{style}</style>
<script>{script}</script>
</head>
<body>
<main>
<h1>{mark}{title}</h1>
{body}
</main>
</body>
</html>
"""
_CLOSE = '<p class="quiet">You can close this tab and go back to your program.</p>'


def signed_in(who: str | None, host: str, *, account: str | None = None, profile: str | None = None) -> bytes:
    """The sign-in succeeded.

    Args:
        who: The person, where the server told.
        host: The workspace or account console, as an address.
        account: The account's id, where the person configured one.
        profile: The profile that is connected.
    """
    place = urlsplit(host).netloc or host
    kind, there = ("Account console", "account") if place.startswith("accounts.") else ("Workspace", "workspace")
    facts = {"Signed in as": who, kind: place, "Account": account, "Profile": profile}
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    meaning = f"<p>Programs on the computer where you began can now work in this {there} in your name.</p>"
    body = f"{meaning}<dl>{rows}</dl>{_CLOSE}"
    return _page("You are signed in", body, "✓", "good")


def failed(reason: str, *, hint: str | None = None) -> bytes:
    """The sign-in did not succeed."""
    advice = f"<p>What to do: {escape(hint)}</p>" if hint else ""
    return _page("You are not signed in", f"<p>{escape(reason)}</p>{advice}{_CLOSE}", "✗", "bad")


def unknown() -> bytes:
    """The browser came back, but the program was gone before it knew the outcome."""
    return _page("Sign-in received", f"<p>See the program that asked for it for the outcome.</p>{_CLOSE}")


def stale() -> bytes:
    """The answer to another sign-in than the one that is waited for."""
    body = (
        "<p>This is the answer to an earlier sign-in, or it was not started here. The current sign-in continues "
        "in its own tab; if there is none, start again from your program.</p>"
    )
    return _page("This sign-in is not awaited", body)


def not_found() -> bytes:
    """Anything that is not the answer to the sign-in."""
    return _page("Nothing here", "<p>This address only receives the answer to a sign-in.</p>")


def _page(title: str, body: str, mark: str = "", kind: str = "") -> bytes:
    shown = f'<span class="{kind}" aria-hidden="true">{mark}</span> ' if mark else ""
    return _FRAME.format(title=title, body=body, mark=shown, style=STYLE, script=SCRIPT).encode()
