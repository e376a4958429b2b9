"""What may be shown of a store's address, whatever was written there."""

import pytest

from lakekey.cache.stores.addresses import shared_store
from lakekey.cache.stores.places import name_of, scheme_of, shown, without_credentials
from lakekey.errors import ConfigurationError
from support.store_addresses import MALFORMED, SECRET, WITH_A_PASSWORD


@pytest.mark.parametrize("address", [*MALFORMED, *WITH_A_PASSWORD])
def test_no_form_of_an_address_shows_its_password(address):
    for said in (shown(address), without_credentials(address), name_of(address)):
        assert SECRET not in said
        assert "ada" not in said
    assert shown(address).endswith("…") or shown(address).startswith(("postgresql://h", "redis://127"))


@pytest.mark.parametrize("address", MALFORMED)
def test_text_that_is_no_address_is_refused_and_nothing_of_it_is_quoted(address):
    with pytest.raises(ConfigurationError, match="is not an address of a store") as caught:
        shared_store(address)
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    assert "postgresql://…" in caught.value.hint


@pytest.mark.parametrize(
    "place",
    ["memory:", "file:", "file:/srv/cache", "file:~/a b@c", r"file:C:\cache", "/srv/cache", "~/cache", "./cache"],
)
def test_place_on_this_machine_is_shown_as_it_is(place):
    assert shown(place) == place


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("postgresql://ada:pw@one:5432,two:5433/db?sslmode=verify-full", "postgresql://one:5432,two:5433/db"),
        ("postgresql://ada@[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("postgresql:///db?host=/run/postgresql&user=ada", "postgresql:///db?host=/run/postgresql"),
        ("rediss+sentinel://a:1,b:2/0?service=s&prefix=p", "rediss+sentinel://a:1,b:2/0?service=s&prefix=p"),
    ],
)
def test_address_is_shown_by_its_scheme_hosts_and_name(address, place):
    assert shown(address) == without_credentials(address) == name_of(address) == place


@pytest.mark.parametrize("address", ["redis://h/0 dose-of-today", "postgresql://h/db?host=h+password=dose-of-today"])
def test_form_of_libpq_that_is_joined_to_an_address_is_not_shown(address):
    assert without_credentials(address).endswith("://…")


def test_scheme_begins_with_a_letter_and_may_have_digits():
    assert [scheme_of(f"{scheme}://h") for scheme in ("R2", "r+2.a-b", "2r", "r_2", "")] == [
        "r2",
        "r+2.a-b",
        "",
        "",
        "",
    ]
