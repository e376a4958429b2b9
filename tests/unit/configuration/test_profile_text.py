"""Edits of the text of profiles: which lines they take along, and where they write."""

from lakekey.configuration import profile_text


def test_comment_below_a_section_goes_with_it_and_one_that_stands_apart_stays():
    text = "[a]\nhost = x\n# about a\n\n# about b\n[b]\n"
    assert profile_text.without_section(text, "a") == "# about b\n[b]\n"


def test_setting_is_added_behind_a_last_line_without_an_end():
    assert profile_text.with_values("[a]\nhost = x", "a", {"user": "y"}) == "[a]\nhost = x\nuser = y\n"


def test_section_behind_a_byte_order_mark_has_its_name():
    assert profile_text.names("\ufeff[a]\n[b]\n") == ["a", "b"]
