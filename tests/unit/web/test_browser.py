from lakekey.web.browser import Cookie, digest, form_token, is_form_token, is_value, new_value

HOUR = 3600.0
NOW = 500_000 * HOUR


def test_each_value_is_new_and_of_the_form_that_is_taken_back():
    values = {new_value() for _ in range(100)}
    assert len(values) == 100
    assert all(map(is_value, values))


def test_no_other_text_is_a_value():
    assert not any(map(is_value, [None, "", "a" * 42, "a" * 44, "a" * 42 + "!", "a" * 43 + "\n"]))


def test_rows_keep_a_digest_from_which_the_value_cannot_be_read():
    value = new_value()
    assert value not in digest(value)
    assert digest(value) != digest(new_value())


def test_form_token_holds_for_its_browser_and_user_only():
    token = form_token("mine", "ada", now=NOW)
    assert is_form_token(token, "mine", "ada", now=NOW)
    assert not is_form_token(token, "another's", "ada", now=NOW)
    assert not is_form_token(token, "mine", "grace", now=NOW)


def test_form_token_holds_for_twelve_hours():
    token = form_token("mine", "ada", now=NOW)
    assert is_form_token(token, "mine", "ada", now=NOW + 12 * HOUR)
    assert not is_form_token(token, "mine", "ada", now=NOW + 13 * HOUR)
    assert not is_form_token(token, "mine", "ada", now=NOW - 2 * HOUR)


def test_form_token_with_another_hour_is_refused():
    _, _, mac = form_token("mine", "ada", now=NOW).partition(".")
    later = f"{500_001:x}.{mac}"
    assert not is_form_token(later, "mine", "ada", now=NOW + HOUR)


def test_text_that_is_not_a_form_token_is_refused():
    assert not any(is_form_token(text, "mine", "ada", now=NOW) for text in ["", ".", "zz.00", "-1.00", "7a120", "ü.ü"])


def test_text_of_a_cookie_does_not_show_its_value():
    assert "secret" not in repr(Cookie("name", "secret"))
