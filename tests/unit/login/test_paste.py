"""What a person pastes is taken for what it is."""

import io
import sys
import threading

import pytest

from lakekey.login.paste import Asked, Unusable, open_input, read_pasted

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
    "place", ["https://localhost:8020/", "localhost:8020/", "localhost:8020", "HTTP://LOCALHOST:8020/"]
)
def test_a_browser_may_change_or_hide_the_scheme(place):
    assert pasted(f"{place}?code=c&state=the-state")["code"] == "c"


def test_marks_of_a_terminal_around_what_is_pasted_are_left_out():
    assert pasted(f"\x1b[200~{REDIRECT}/?code=c&state=the-state\x1b[201~")["code"] == "c"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("code=c state=the-state", "another sign-in"),
        ("c the-stat", "another sign-in"),
        ("c\x00 the-statE", "another sign-in"),
        ("http://[::1/?code=c&state=the-state", "not the address of the last page"),
        ("http://localhost:8021/?code=c&state=the-state", "not the address of the last page"),
        ("localhost:8021/?code=c&state=the-state", "not the address of the last page"),
        ("https://evil.example.com/?code=c&state=the-state", "not the address of the last page"),
        ("ftp://localhost:8020/?code=c&state=the-state", "there is no code in it"),
        ("http://localhost:8020@evil.example.com/?code=c&state=the-state", "not the address of the last page"),
        ("c" * 100_000, "there is no code in it"),
    ],
)
def test_what_is_not_the_answer_is_not_repeated(text, complaint):
    with pytest.raises(Unusable, match=complaint) as caught:
        pasted(text)
    assert "the-stat" not in str(caught.value)


def test_code_in_plain_http_is_taken_at_the_usual_port_of_http_alone():
    assert pasted("http://localhost/cb?code=c&state=the-state", "http://localhost:80/cb")["code"] == "c"
    for other in ("http://localhost:443/cb", "https://localhost:80/cb"):
        with pytest.raises(Unusable, match="not the address"):
            pasted(f"{other}?code=c&state=the-state", "http://localhost/cb")


def test_program_that_asks_by_input_asks_once_for_each_line(monkeypatch):
    asked, answers = [], iter(["first", "second"])
    begun, may_answer = threading.Event(), threading.Event()

    def answer(prompt):
        asked.append((prompt, threading.current_thread().daemon))
        begun.set()
        assert may_answer.wait(60)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    program = Asked("Paste it: ")
    assert program.line(0.0) is None
    assert begun.wait(60)
    assert program.line(0.0) is None
    assert asked == [("Paste it: ", True)]
    may_answer.set()
    assert program.line(60) == "first"
    assert program.line(60) == "second"
    assert len(asked) == 2
    assert not program.idle


def test_program_that_may_not_ask_has_no_more_lines(monkeypatch):
    def refuse(prompt):
        raise RuntimeError("no input here")

    monkeypatch.setattr("builtins.input", refuse)
    with pytest.raises(EOFError):
        Asked().line(60)


@pytest.mark.parametrize(("notebook", "platform", "asks"), [(True, "linux", True), (False, "win32", True)])
def test_notebooks_and_windows_without_a_console_are_asked_by_input(monkeypatch, notebook, platform, asks):
    monkeypatch.setattr(sys, "platform", platform)
    assert isinstance(open_input(notebook=notebook), Asked) is asks


@pytest.mark.posix_signals
def test_program_without_a_terminal_is_not_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert open_input(notebook=False) is None
