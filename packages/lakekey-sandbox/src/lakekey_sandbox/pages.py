"""The pages that a person sees: plain HTML, no scripts, nothing from elsewhere."""

from html import escape

from flask import Response

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem;color:#1b2733}"
    "fieldset{border:1px solid #cfd6dd;border-radius:6px;padding:1rem}"
    "label{display:block;margin:.3rem 0}button{font:inherit;margin:1rem .5rem 0 0;padding:.4rem 1rem}"
    "small{color:#5a6773}"
)
_HEADERS = {
    # The page's address holds the client's state: it goes to nobody else and into no cache.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # Not framed (RFC 9700 §4.16). No form-action: browsers apply it to the redirect that answers the form.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
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
        f"<p><b>{escape(client)}</b> asks to act for you.<br><small>Scopes: {escape(scope)}</small></p>"
        f'<form method="post"><fieldset><legend>Who are you?</legend>{people}</fieldset>'
        '<button name="decision" value="sign-in">Sign in</button>'
        '<button name="decision" value="cancel">Cancel</button></form>'
        "<p><small>This is a lakekey sandbox on your own machine: there is no password.</small></p>",
    )


def problem(error: str, description: str, *, status: int = 400) -> Response:
    """The page for a request that must not be answered by a redirect (RFC 6749 §4.1.2.1)."""
    return _page(
        "This sign-in cannot go on", f"<p><code>{escape(error)}</code>: {escape(description)}</p>", status=status
    )


def _page(title: str, body: str, *, status: int = 200) -> Response:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    )
    return Response(html, status=status, headers=_HEADERS, content_type="text/html; charset=utf-8")
