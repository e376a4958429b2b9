"""The person who plays the sign-in page."""

import shlex
import subprocess
import webbrowser

import pytest

from lakekey.sandbox import Person
from lakekey_sandbox.person import SignInProblem, main


def test_the_person_is_a_browser_for_the_webbrowser_module(box, client, callback, monkeypatch):
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setenv("BROWSER", box.person("grace@example.com").command())
    assert webbrowser.open(client.authorization_url(redirect_uri=callback.uri))
    assert client.redeem(callback.answer["code"], redirect_uri=callback.uri).status_code == 200
    assert [record.subject for record in box.log if record.event == "login"] == ["grace@example.com"]


def test_the_program_tells_why_it_could_not_sign_in(box, client):
    command = shlex.split(box.person("mallory@example.com").command().replace("%s", client.authorization_url()))
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert "mallory@example.com is not among the people who can sign in" in run.stderr


def test_a_refused_request_is_reported(box, client, callback):
    person = box.person()
    assert not person(client.authorization_url(redirect_uri=callback.uri, scope="everything"))
    assert "invalid_scope" in person.problem
    assert callback.answer["error"] == "invalid_scope"


def test_a_page_without_a_form_is_reported_in_its_own_words(box, client):
    person = box.person()
    assert not person(client.authorization_url(client_id="unknown"))
    assert "invalid_client" in person.problem


def test_callback_without_a_listener_is_reported_without_the_code(box, client):
    person = box.person()
    assert not person(client.authorization_url(redirect_uri="http://127.0.0.1:9"))
    assert "http://127.0.0.1:9 cannot be reached" in person.problem
    assert "code=" not in person.problem


@pytest.mark.parametrize("url", ["https://example.com/authorize", "file:///etc/passwd", "nonsense"])
def test_the_person_does_not_leave_the_machine(box, url):
    with pytest.raises(SignInProblem, match="not on this machine"):
        box.person().answer(url)


def test_the_person_follows_no_redirect_off_the_machine(box, client):
    box.register_client("an-app", redirect_uris=["https://app.example/callback"])
    url = client.authorization_url(client_id="an-app", redirect_uri="https://app.example/callback")
    with pytest.raises(SignInProblem, match=r"app\.example is not on this machine"):
        box.person().answer(url)


def test_a_login_hint_is_preselected(client):
    page = client.http.get(client.authorization_url(login_hint="grace@example.com"), timeout=10)
    assert 'value="grace@example.com" checked' in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "<script" not in page.text


def test_what_the_client_sends_is_escaped_on_the_page(box, client):
    box.register_client("an-app", redirect_uris=["http://127.0.0.1"], name="<b>An</b> & app")
    url = client.authorization_url(client_id="an-app", redirect_uri="http://127.0.0.1")
    assert "&lt;b&gt;An&lt;/b&gt; &amp; app" in client.http.get(url, timeout=10).text


def test_the_main_function_returns_the_exit_status(box, client, callback):
    url = client.authorization_url(redirect_uri=callback.uri)
    assert main(["--user", "ada@example.com", "--ca-file", box.ca_file, url]) == 0


def test_a_person_shows_no_page_in_its_repr(box):
    assert repr(box.person()) == repr(Person("ada@example.com", ca_file=box.ca_file))
