"""What a person pastes is taken for what it is."""

import pytest

from lakekey.login.paste import Unusable, read_pasted

REDIRECT = "http://localhost:8020"


def pasted(text, redirect_uri=REDIRECT):
    return read_pasted(text, redirect_uri=redirect_uri, state="the-state")


@pytest.mark.parametrize(
    "text",
    ["a%2Fcode== the-state", "code=a/code%3D%3D&state=the-state", f"{REDIRECT}/?code=a%2Fcode==&state=the-state"],
)
def test_a_code_may_hold_what_base64_and_addresses_have(text):
    assert pasted(text) == {"code": "a/code==", "state": "the-state"}


@pytest.mark.parametrize(
    ("redirect", "address"),
    [
        ("http://localhost:80/cb", "http://localhost/cb"),
        ("https://example.com/cb", "https://example.com:443/cb"),
        ("http://[::1]:8020", "http://[::1]:8020/"),
    ],
)
def test_a_browser_leaves_out_the_usual_port(redirect, address):
    assert pasted(f"{address}?code=c&state=the-state", redirect)["code"] == "c"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("code=c state=the-state", "another sign-in"),
        ("c the-stat", "another sign-in"),
        ("c\x00 the-statE", "another sign-in"),
        ("http://[::1/?code=c&state=the-state", "not the address of the last page"),
        ("http://localhost:8021/?code=c&state=the-state", "not the address of the last page"),
        ("http://localhost:8020@evil.example.com/?code=c&state=the-state", "not the address of the last page"),
        ("c" * 100_000, "there is no code in it"),
    ],
)
def test_what_is_not_the_answer_is_not_repeated(text, complaint):
    with pytest.raises(Unusable, match=complaint) as caught:
        pasted(text)
    assert "the-stat" not in str(caught.value)
