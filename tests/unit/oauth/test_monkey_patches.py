"""gevent's patches: refused where they come after TLS was in use, and no matter otherwise."""

import ssl
import sys
from types import SimpleNamespace

import pytest
import urllib3.util.ssl_

from lakekey.errors import ConfigurationError
from lakekey.oauth.monkey_patches import check
from lakekey.oauth.transport import Transport


def patched(monkeypatch, *names):
    monkeypatch.setitem(sys.modules, "gevent.monkey", SimpleNamespace(is_module_patched=lambda name: name in names))


def test_exchange_begins_where_nothing_is_patched(monkeypatch):
    monkeypatch.delitem(sys.modules, "gevent.monkey", raising=False)
    check(object())
    monkeypatch.setitem(sys.modules, "gevent.monkey", SimpleNamespace())
    check(object())
    patched(monkeypatch, "socket")
    check(object())


def test_exchange_begins_where_everything_was_patched_in_time(monkeypatch):
    patched(monkeypatch, "ssl")
    check(ssl.SSLContext)


def test_exchange_does_not_begin_with_a_class_from_before_the_patch(monkeypatch):
    patched(monkeypatch, "ssl")
    with pytest.raises(ConfigurationError, match="after TLS was in use") as caught:
        check(object())
    assert "gevent.monkey.patch_all()" in caught.value.hint


def test_request_is_not_sent_with_a_class_from_before_the_patch(monkeypatch, server):
    patched(monkeypatch, "ssl")
    monkeypatch.setattr(urllib3.util.ssl_, "SSLContext", object())
    with pytest.raises(ConfigurationError, match="after TLS was in use"):
        Transport().get(f"{server.url}/")
    assert server.asked == []
