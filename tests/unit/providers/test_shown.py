"""What a notebook shows of a provider."""

from datetime import datetime

import pytest

from lakekey.cache.entry import Entry
from lakekey.configuration.target import resolve
from lakekey.providers.shown import as_html

TARGET = resolve(environ={}, host="https://acme.cloud.databricks.com")
END = 4000000000.0


def shown(seconds):
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("entry", "name", "end"),
    [
        (Entry({}, access_token="secret", expires_at=END), "token until", END),
        (
            Entry({}, access_token="secret", expires_at=END, refresh_token="r", session_ends_at=END + 86400),
            "session until",
            END + 86400,
        ),
    ],
)
def test_end_of_the_session_is_shown_or_else_that_of_the_token(entry, name, end):
    html = as_html(TARGET, entry)
    assert f">{name}</th>" in html
    assert shown(end) in html
    assert "secret" not in html


def test_what_is_not_known_has_no_row():
    html = as_html(TARGET, None)
    assert "until" not in html
    assert "profile" not in html
    assert TARGET.host in html
