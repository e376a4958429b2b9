"""Which processes hold a port, read from Linux's own tables."""

import io
import os
import socket

import pytest

from lakekey.login import port_holders
from lakekey.login.port_holders import holders_of

pytestmark = pytest.mark.proc


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def port_of(sock):
    return sock.getsockname()[1]


def this_process():
    with open("/proc/self/comm", encoding="utf-8") as file:
        return f"process {os.getpid()} ({file.read().strip()})"


def test_process_that_listens_is_named(listener):
    assert holders_of([port_of(listener)]) == [this_process()]


def test_process_that_listens_twice_is_named_once(listener):
    with socket.create_server(("127.0.0.1", 0)) as another:
        assert holders_of([port_of(listener), port_of(another)]) == [this_process()]


def test_port_at_which_only_a_connection_ends_is_not_held(listener):
    with socket.create_connection(listener.getsockname()) as client:
        assert holders_of([port_of(client)]) == []


def test_port_that_is_free_is_not_held(listener):
    port = port_of(listener)
    listener.close()
    assert holders_of([port]) == []


def test_first_row_of_a_table_counts_and_its_head_does_not(listener, monkeypatch):
    inode = os.fstat(listener.fileno()).st_ino
    row = f"   0: 0100007F:1F54 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100"
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"

    def opened(path, *arguments, **options):
        return io.StringIO(f"{head}\n{row}\n") if "/net/" in path else open(path, *arguments, **options)

    monkeypatch.setattr(port_holders, "open", opened, raising=False)
    assert holders_of([8020]) == [this_process()]
    assert holders_of([8021]) == []


def test_system_without_such_tables_names_none(monkeypatch):
    def opened(path, **_):
        raise FileNotFoundError(path)

    monkeypatch.setattr(port_holders, "open", opened, raising=False)
    assert holders_of([8020]) == []
