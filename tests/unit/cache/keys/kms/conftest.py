"""A service's answers, and its libraries, without either."""

import sys
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from lakekey.cache.keys.kms import bounded, rest
from lakekey.cache.keys.kms.service import KmsTrouble


class Asked(NamedTuple):
    """A request as the service makes it."""

    url: str
    fields: dict[str, Any]
    headers: dict[str, str]
    more: dict[str, Any]


class Answers:
    """What a service answers, one after the other.

    Attributes:
        asked: What it was asked.
        coming: What comes next: status and fields, or an error.
    """

    def __init__(self):
        self.asked: list[Asked] = []
        self.coming: list[Any] = []

    def post(self, url, fields, headers, **more):
        self.asked.append(Asked(url, dict(fields), dict(headers), more))
        following = self.coming.pop(0)
        if isinstance(following, KmsTrouble):
            raise following
        return rest.Answer(*following)


@pytest.fixture
def answers(monkeypatch):
    """The answers of a service; a test says which are coming."""
    found = Answers()
    monkeypatch.setattr(rest, "post", found.post)
    return found


@pytest.fixture
def filtered(monkeypatch):
    """What is there is looked at for loggers of libraries: how often so far."""
    looks = []
    monkeypatch.setattr(bounded, "filter_new_loggers", lambda: looks.append(None))
    return looks


@pytest.fixture
def trouble():
    """Make a call that fails. What it tells: the kind of trouble, its detail, and its own next step."""

    def of(call, *arguments):
        with pytest.raises(KmsTrouble) as caught:
            call(*arguments)
        return caught.value.kind, caught.value.detail, caught.value.hint

    return of


@pytest.fixture
def libraries(monkeypatch):
    """Put modules of these names and contents in the place of a service's libraries."""

    def put(modules):
        for name, contents in modules.items():
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                inner = ".".join(parts[:end])
                if inner not in put_in:
                    put_in[inner] = ModuleType(inner)
                    monkeypatch.setitem(sys.modules, inner, put_in[inner])
                    if end > 1:
                        setattr(put_in[".".join(parts[: end - 1])], parts[end - 1], put_in[inner])
            for each, value in contents.items():
                setattr(put_in[name], each, value)

    put_in: dict[str, ModuleType] = {}
    return put
