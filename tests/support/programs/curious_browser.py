"""A browser on a busy machine: before the person signs in, others knock at the port that waits for the answer.

Run by ``BROWSER``. It writes what it found there as JSON, and then plays the person.
"""

import argparse
import http.client
import json
import socket
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).parent))

import person_oidc


def knock(port: int, request: bytes) -> int:
    """Sends bytes as they are; the status of the answer, or 0."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)
    return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0


def strays(port: int) -> list[int]:
    """What browsers, scanners and attackers send; the statuses of the answers."""
    host = f"Host: localhost:{port}\r\n\r\n".encode()
    return [
        knock(port, b"GET /favicon.ico HTTP/1.1\r\n" + host),
        knock(port, b"GET / HTTP/1.1\r\n" + host),
        knock(port, b"GET /?code=stolen&state=guessed HTTP/1.1\r\n" + host),
        knock(port, b"GET /?error=access_denied&state=guessed HTTP/1.1\r\n" + host),
        knock(port, b"GET /?code=a HTTP/1.1\r\nHost: rebound.example.com\r\n\r\n"),
        knock(port, b"POST / HTTP/1.1\r\nContent-Length: 0\r\n" + host),
        knock(port, b"\x16\x03\x01 not HTTP at all\r\n\r\n"),
        knock(port, b""),
    ]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ca-file")
    parser.add_argument("--found", type=Path)
    parser.add_argument("url")
    options = parser.parse_args()
    redirect = urlsplit(parse_qs(urlsplit(options.url).query)["redirect_uri"][0])
    found: dict[str, object] = {"port": redirect.port}
    try:
        connection = http.client.HTTPConnection("127.0.0.1", redirect.port, timeout=10)
        connection.request("GET", "/nothing")
        found["first"] = connection.getresponse().status
        found["strays"] = strays(redirect.port)
    except OSError as error:
        found["error"] = type(error).__name__
    options.found.write_text(json.dumps(found), encoding="utf-8")
    done = person_oidc.sign_in(options.url, user="ada@example.com", ca_file=options.ca_file)
    return 0 if done.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
