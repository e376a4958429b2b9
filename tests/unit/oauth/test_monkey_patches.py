"""gevent's patches: refused where they come after TLS was in use, and no matter otherwise."""

import ssl
import sys
from types import SimpleNamespace

import pytest

from lakekey.errors import ConfigurationError
from lakekey.oauth.monkey_patches import check


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
