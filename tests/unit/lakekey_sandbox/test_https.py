"""The HTTPS server: many clients, stalled clients, and a clean end."""

import socket
import ssl
import struct
import subprocess
import sys
import threading

import pytest
import requests
from cryptography import x509

from lakekey.sandbox import Sandbox
from lakekey_sandbox.https import HTTPSServer

CONFIG = "/.well-known/databricks-config"
REQUEST = f"GET {CONFIG} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def connected(box):
    """A TLS connection to the sandbox."""
    context = ssl.create_default_context(cafile=box.ca_file)
    raw = socket.create_connection(("127.0.0.1", int(box.host.rpartition(":")[2])), timeout=10)
    return context.wrap_socket(raw, server_hostname="localhost")


def answer(stream):
    """The status and the body of one answer, which leaves the connection at the next one."""
    status = int(stream.readline().split()[1])
    length = 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode().partition(":")
        length = int(value) if name.lower() == "content-length" else length
    return status, stream.read(length)


def test_a_client_that_stalls_in_the_handshake_does_not_stop_the_others(box, client):
    port = int(box.host.rpartition(":")[2])
    stalled = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    assert client.get(CONFIG).status_code == 200  # within the client's timeout
    for connection in stalled:
        connection.close()


def test_a_connection_serves_many_requests(box):
    with connected(box) as connection, connection.makefile("rb") as stream:
        for _ in range(3):
            connection.sendall(REQUEST)
            assert answer(stream)[0] == 200


def test_unread_body_does_not_spoil_the_next_request(box):
    with connected(box) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + REQUEST)
        assert answer(stream)[0] == 404
        assert answer(stream)[0] == 200


def test_a_chunked_body_is_read(box):
    with connected(box) as connection, connection.makefile("rb") as stream:
        connection.sendall(
            b"POST /telemetry-unauth HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + REQUEST
        )
        assert answer(stream)[0] == 200
        assert answer(stream)[0] == 200
    assert box.telemetry[0]["body"] == "abcde"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 1\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Content-Length: -1",
        b"Content-Length: 99999999999",
    ],
)
def test_a_body_of_unclear_or_absurd_length_is_refused(box, headers):
    with connected(box) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"POST /oidc/v1/token HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n")
        assert answer(stream)[0] in (400, 413)


def test_plain_http_is_hung_up_on(box):
    with socket.create_connection(("127.0.0.1", int(box.host.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(REQUEST)
        assert b"200" not in connection.recv(1024)


def test_clients_that_disconnect_are_not_reported(box, client, capfd):
    port = int(box.host.rpartition(":")[2])
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", port))
        # Closing without lingering sends a reset, as a killed client's kernel does.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert client.get(CONFIG).status_code == 200
    box.stop()
    assert capfd.readouterr() == ("", "")


def test_only_loopback_is_bound(box):
    assert box.host.startswith("https://127.0.0.1:")


def test_another_authority_is_not_trusted(box):
    with Sandbox() as other, pytest.raises(requests.exceptions.SSLError):
        requests.get(box.host + CONFIG, verify=other.ca_file, timeout=10)


def test_the_certificate_passes_strict_verification(box):
    context = ssl.create_default_context(cafile=box.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    raw = socket.create_connection(("127.0.0.1", int(box.host.rpartition(":")[2])), timeout=10)
    with context.wrap_socket(raw, server_hostname="127.0.0.1") as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")


def test_the_authority_can_vouch_for_loopback_only(box):
    with open(box.ca_file, "rb") as file:
        authority = x509.load_pem_x509_certificate(file.read())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert x509.DNSName("localhost") in constraints.value.permitted_subtrees


def test_stopping_ends_every_connection_and_frees_the_port():
    before = set(threading.enumerate())
    box = Sandbox().start()
    with connected(box) as connection, connection.makefile("rb") as stream:
        connection.sendall(REQUEST)
        assert answer(stream)[0] == 200
        box.stop()
        assert connection.recv(1) == b""
    assert set(threading.enumerate()) <= before
    with Sandbox(port=int(box.host.rpartition(":")[2])) as again:
        assert again.host == box.host


def test_request_lines_stay_off_the_terminal(client, capfd):
    client.get(CONFIG)
    client.get("/nowhere")
    assert capfd.readouterr() == ("", "")


def test_a_defect_of_the_application_is_reported_and_the_server_goes_on(box, client, monkeypatch, caplog):
    def broken(environ, start_response):
        raise RuntimeError("a defect")

    server = box._server
    assert isinstance(server, HTTPSServer)
    with monkeypatch.context() as patch:
        patch.setattr(server, "app", broken)
        with pytest.raises(requests.ConnectionError):
            client.get(CONFIG)
    assert client.get(CONFIG).status_code == 200
    assert "failed to serve" in caplog.text


CROWD = """
import socket, ssl, sys, threading
context = ssl.create_default_context(cafile=sys.argv[2])
sys.stdin.read(1)
def visit():
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            tls.sendall(b"GET /.well-known/databricks-config HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            assert tls.recv(12) == b"HTTP/1.1 200", "refused"
            done.append(1)
done = []
threads = [threading.Thread(target=visit) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
sys.exit(len(done) != 4)
"""


def test_64_processes_connect_at_once(box):
    command = [sys.executable, "-S", "-c", CROWD, box.host.rpartition(":")[2], box.ca_file]
    crowd = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(64)]
    for process in crowd:
        process.stdin.write(b"x")
        process.stdin.close()
    assert [process.wait(100) for process in crowd] == [0] * 64
    assert len(box.log) == 256
