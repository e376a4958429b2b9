"""``lakekey api``: one request to the workspace's REST API."""

import argparse
import json
import sys

from lakekey import _json, _terminal
from lakekey._commands import look_at
from lakekey.cli import prompt
from lakekey.cli.output import json_text, print_error
from lakekey.cli.provider import provider_of
from lakekey.cli.style import clean
from lakekey.cli.workspace_api import WorkspaceApi
from lakekey.errors import ConfigurationError


def api(arguments: argparse.Namespace) -> int:
    """Send the request and print the answer; exit status 1 where the server refuses it."""
    path = arguments.path
    if "://" in path.partition("?")[0] or path.startswith("//"):
        raise ConfigurationError(
            "the path is a whole address",
            hint="give the path alone, such as /api/2.0/clusters/list: the host is the profile's",
        )
    answer = WorkspaceApi(provider_of(arguments)).call(
        arguments.method.upper(), path if path.startswith("/") else f"/{path}", _body(arguments.data)
    )
    text = answer.content.decode(errors="replace")
    try:
        document = _json.loads(text, longest=len(text))
    except ValueError:
        document = None
    if document is not None and (_terminal.is_terminal(sys.stdout) or arguments.json):
        text = json_text(document)
    elif document is None and arguments.json:
        text = json.dumps({"status": answer.status_code, "content": text})
    elif _terminal.is_terminal(sys.stdout):
        text = "\n".join(clean(line.expandtabs()) for line in text.splitlines())
    if text:
        print(text)
    if answer.ok:
        return 0
    said = document.get("message") if isinstance(document, dict) else None
    print_error(f"HTTP {answer.status_code}" + (f": {str(said)[:300]}" if said else ""), None)
    return 1


def _body(data: str | None) -> bytes | None:
    """The document to send: as it is given, from a file (``@name``) or from standard input (``-``)."""
    if data is None:
        return None
    if data == "-":
        text = prompt.piped()
    elif data.startswith("@"):
        try:
            with open(data[1:], encoding="utf-8") as file:
                text = file.read()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ConfigurationError(f"{data[1:]} cannot be read: {reason}", hint=look_at(data[1:])) from None
    else:
        text = data
    try:
        document = text.encode()
        _json.loads(text, longest=len(text))
    except ValueError:  # which one that is not Unicode raises as well
        raise ConfigurationError("--data is not JSON", hint="""--data '{"name": "value"}'""") from None
    return document
