"""What every page is made of: the style, the headers, the frame around a body, and texts with their places filled in.

No script, nothing loaded, nothing stored. What others have given is escaped.
"""

import base64
import hashlib
from datetime import datetime
from html import escape

from lakekey.web import words

STYLE = """
:root { color-scheme: light dark; --ink: #16202a; --paper: #ffffff; --quiet: #56626e; --line: #8b97a3;
  --good: #17703f; --warn: #8a5300; --bad: #b3261e; --fill: #1d5fa8; --on-fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf2; --paper: #12171c; --quiet: #a3b0bc; --line: #6d7a87; --good: #5fd394; --warn: #f0b357;
    --bad: #ff8a80; --fill: #9cc8f7; --on-fill: #0c1b2b; }
}
body { font: 1.05rem/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0; }
main { max-width: 42rem; margin: 0 auto; padding: 2rem 1rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; font-weight: 600; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
ul + h2, details + h2, p + h2 { margin-top: 2.5rem; }
h3, h4 { font-size: 1.1rem; margin: 0 0 .3rem; overflow-wrap: anywhere; } h4 { font-size: 1rem; }
code { font-size: .95em; overflow-wrap: anywhere; }
p, dl { margin: .5rem 0; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); } .good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.message { border: 2px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; margin: 1rem 0; }
.message.good { border-color: var(--good); } .message.bad { border-color: var(--bad); }
.message p { color: var(--ink); }
.note { border-left: 4px solid var(--warn); padding: .1rem 0 .1rem .8rem; margin: .8rem 0; }
ul { list-style: none; margin: 1rem 0; padding: 0; }
li { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 0 0 1rem; scroll-margin-top: 1rem; }
li:target { outline: 2px solid var(--fill); outline-offset: 2px; }
dl { display: grid; grid-template-columns: 11rem 1fr; gap: .1rem 1rem; }
dt { color: var(--quiet); } dd { margin: 0; }
.state { font-weight: 600; }
label { display: block; margin-top: .8rem; font-weight: 600; overflow-wrap: anywhere; }
input { font: inherit; box-sizing: border-box; padding: .4rem .6rem; min-height: 2.75rem; width: 100%;
  border: 1px solid var(--line); border-radius: .4rem; background: var(--paper); color: var(--ink); }
.choice { display: flex; gap: .6rem; align-items: flex-start; margin: .8rem 0; }
.choice input { width: 1.5rem; min-height: 1.5rem; height: 1.5rem; margin: .1rem 0 0; flex: none;
  accent-color: var(--fill); }
.choice label { margin: 0; font-weight: 400; }
label + .quiet { margin: 0 0 .2rem; font-size: .95rem; }
.row { border-top: 1px solid var(--line); margin-top: .8rem; padding-top: .8rem; }
details { margin-top: .8rem; }
summary { cursor: pointer; padding: .5rem 0; color: var(--fill); overflow-wrap: anywhere; }
details > div { border-left: 3px solid var(--line); padding: 0 0 .3rem 1rem; margin: .3rem 0 .5rem; }
form { display: inline-block; margin: .4rem .4rem 0 0; max-width: 100%; }
form[role=search] { display: flex; flex-wrap: wrap; gap: .5rem; } form[role=search] > label { width: 100%; }
form[role=search] > input { flex: 1 1 12rem; width: auto; } form[role=search] > button { width: auto; }
form.fields { display: block; margin: 0; } form.fields > button { margin-top: .8rem; }
button { font: inherit; min-height: 2.75rem; max-width: 100%; padding: .4rem 1rem; border-radius: .4rem;
  cursor: pointer; border: 1px solid var(--line); background: transparent; color: var(--ink); overflow-wrap: anywhere; }
button.first { background: var(--fill); border-color: var(--fill); color: var(--on-fill); font-weight: 600; }
a { color: var(--fill); }
:focus-visible { outline: 3px solid var(--fill); outline-offset: 2px; }
@media (max-width: 34rem) {
  dl { grid-template-columns: 1fr; }
  dd { margin-bottom: .4rem; }
}
@media (max-width: 26rem) {
  form, button { width: 100%; }
}
@media (forced-colors: active) { button.first { border: 3px solid ButtonText; } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

#: What every answer has. A callback's address holds the code: no referrer, cache or frame (RFC 9700 §4.2.4, §4.16).
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
    "Vary": "Cookie, Accept-Language",
}

_FRAME = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">{refresh}
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def page(language: str, title: str, body: str, *, refresh: tuple[int, str] | None = None) -> bytes:
    """A page. Title and body are HTML already."""
    onward = ""
    if refresh is not None:
        onward = f'\n<meta http-equiv="refresh" content="{refresh[0]};url={escape(refresh[1])}">'
    return _FRAME.format(language=language, title=title, body=body, style=STYLE, refresh=onward).encode()


def time_element(language: str, moment: datetime) -> str:
    """A time in words, marked as one."""
    return f'<time datetime="{moment.isoformat(timespec="seconds")}">{escape(words.date(language, moment))}</time>'


def say(language: str, key: str, **values: str) -> str:
    """A text with its places filled in, escaped."""
    return escape(words.text(language, key, **{name: spelled(value) for name, value in values.items()}))


def spelled(text: str) -> str:
    """A text of others without what would turn the direction of the line or is not printed."""
    return "".join(each if each.isprintable() or each == "\0" else "\N{REPLACEMENT CHARACTER}" for each in text)
