"""The pages that a person sees: plain HTML, no scripts, nothing from elsewhere."""

import base64
import hashlib
from html import escape

from flask import Response

from lakekey.login.pages import STYLE

# The style of the page on which the sign-in ends, and that of a form.
_STYLE = f"""{STYLE}
fieldset {{ border: 1px solid var(--quiet); border-radius: .6rem; padding: .4rem 1rem; margin: 1.4rem 0; }}
legend {{ padding: 0 .4rem; color: var(--quiet); }}
label {{ display: flex; align-items: center; gap: .7rem; min-height: 2.75rem; overflow-wrap: anywhere; }}
input {{ flex: none; width: 1.2rem; height: 1.2rem; margin: 0; accent-color: var(--good); }}
.choices {{ display: flex; flex-wrap: wrap; gap: .8rem; }}
button {{ font: inherit; min-height: 2.75rem; padding: .4rem 1.4rem; border-radius: .6rem; cursor: pointer;
  border: 1px solid var(--quiet); background: none; color: var(--ink); }}
button.first {{ background: var(--good); border-color: var(--good); color: var(--paper); font-weight: 600; }}
:focus-visible {{ outline: .2rem solid var(--good); outline-offset: .2rem; }}
@media (max-width: 30rem) {{ body {{ margin-top: 6vh; }} button {{ flex: 1 1 8rem; }} }}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    # The page's address holds the client's state: it goes to no other site and into no cache.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # Not framed (RFC 9700 §4.16). No form-action: browsers apply it to the redirect that answers the form.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


def sign_in(*, users: tuple[str, ...], hint: str | None, client: str, scope: str) -> Response:
    """The sign-in page: who, and whether.

    Args:
        users: Who can sign in.
        hint: The ``login_hint`` of the request, which preselects.
        client: What the client is called.
        scope: What it asks for.
    """
    chosen = hint if hint in users else users[0]
    people = "".join(
        f'<label><input type="radio" name="user" value="{escape(user)}"'
        f"{' checked' if user == chosen else ''}> {escape(user)}</label>"
        for user in users
    )
    return _page(
        "Sign in",
        f'<p><b>{escape(client)}</b> asks to act for you.</p><p class="quiet">Scopes: {escape(scope)}</p>'
        f'<form method="post"><fieldset><legend>Who are you?</legend>{people}</fieldset>'
        '<div class="choices"><button class="first" name="decision" value="sign-in">Sign in</button>'
        '<button name="decision" value="cancel">Cancel</button></div></form>'
        '<p class="quiet">This is a lakekey sandbox on your own machine: there is no password.</p>',
    )


def problem(error: str, description: str, *, status: int = 400) -> Response:
    """The page for a request that must not be answered by a redirect (RFC 6749 §4.1.2.1)."""
    return _page(
        "This sign-in cannot go on", f"<p><code>{escape(error)}</code>: {escape(description)}</p>", status=status
    )


def _page(title: str, body: str, *, status: int = 200) -> Response:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{title} · lakekey sandbox</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )
    return Response(html, status=status, headers=_HEADERS, content_type="text/html; charset=utf-8")
