"""The pages that end a sign-in: what each says, and that nothing of it is markup."""

import pytest

from lakekey.login import pages


def text(page):
    return page.decode()


def test_person_and_place_are_named_where_they_are_known():
    page = text(pages.signed_in("ada@x.org", "https://w.example.com", account="an-account", profile="work"))
    for name, value in {
        "Signed in as": "ada@x.org", "Workspace": "w.example.com", "Account": "an-account", "Profile": "work",
    }.items():  # fmt: skip
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page
    assert "can now work in this workspace in your name" in page
    assert '<span class="good" aria-hidden="true">✓</span> You are signed in' in page


def test_what_is_not_known_has_no_row():
    page = text(pages.signed_in(None, "https://accounts.example.com"))
    assert page.count("<dt>") == 1
    assert "<dt>Account console</dt><dd>accounts.example.com</dd>" in page
    assert "can now work in this account in your name" in page


def test_host_that_is_not_an_address_is_shown_as_it_is():
    assert "<dt>Workspace</dt><dd>w.example.com</dd>" in text(pages.signed_in(None, "w.example.com"))


def test_failure_says_what_to_do_where_that_is_known():
    page = text(pages.failed("it was <b>refused</b>", hint="sign in & wait"))
    assert "<p>it was &lt;b&gt;refused&lt;/b&gt;</p><p>What to do: sign in &amp; wait</p>" in page
    assert '<span class="bad" aria-hidden="true">✗</span> You are not signed in' in page
    assert "What to do" not in text(pages.failed("it was refused"))


@pytest.mark.parametrize("page", [pages.unknown, pages.stale, pages.not_found])
def test_page_that_is_neither_good_nor_bad_has_no_mark(page):
    assert "<span" not in text(page())
