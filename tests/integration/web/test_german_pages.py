"""Pages in German throughout: errors, hints and what a button tells; what others have said in English is marked so."""

import html
import re

import pytest

from .conftest import ADA, ROOT

GERMAN = re.compile(r"\b(die|der|das|ist|nicht|kein|keine|ein|eine|und|es|sie|wurde)\b", re.IGNORECASE)
ENGLISH = re.compile(r"\b(the|is|are|not|of|and|there|give|use|with|here|it|this|by)\b", re.IGNORECASE)


@pytest.fixture
def visit(visit):
    """Opens a browser that prefers German."""
    return lambda user=ROOT: visit(user, language="de")


def alert(page):
    """What a page says of what went wrong."""
    return re.sub(r"<[^>]+>", " ", html.unescape(re.search(r'role="alert".*?</div>', page.text, re.DOTALL)[0]))


def in_english(page):
    """What a page says in English without marking it so."""
    body = re.sub(r'<style>.*?</style>|<p class="quiet" lang="en">.*?</p>', "", page.text, flags=re.DOTALL)
    said = re.sub(r"<[^>]+>", " ", html.unescape(body))
    return ENGLISH.findall(said)


REFUSED = [
    {"do": "nothing"},
    {"do": "default", "app": "x"},
    {"do": "add", "name": "A B", "client_id": "x", "host": "https://a.example.com"},
    {"do": "add", "name": "portal-app", "client_id": "x", "host": "https://a.example.com"},
    {"do": "add", "name": "b", "client_id": "", "host": "https://a.example.com"},
    {"do": "add", "name": "b", "client_id": "x"},
    {"do": "add", "name": "b", "client_id": "x", "host": "ftp://a"},
    {"do": "add", "name": "b", "client_id": "x", "session_minutes": "two"},
    {"do": "add", "name": "b", "client_id": "x", "discovery_url": "http://x"},
    {"do": "set", "app": "portal-app", "seen": "x", "name": "b", "host": "https://a.example.com"},
    {"do": "secret", "app": "portal-app", "secret": " "},
    {"do": "forget-secret", "app": "portal-app"},
    {"do": "remove-app", "app": "portal-app", "with_connections": "no"},
    {"do": "remove", "entry": "x"},
    {"do": "remove-user", "user": "no-one@example.com"},
]


def test_page_and_errors_of_the_administrator_are_german_throughout(visit):
    visit(ADA).connect("prod verbinden")
    root = visit()
    assert in_english(root.get("/admin")) == []
    _, hidden = root.get("/admin").form("Registrieren")
    token = {"token": hidden["token"]}
    for fields in REFUSED:
        root.language = "de"
        page = root.post("/lakekey/admin", {**token, **fields})
        assert (page.status, in_english(page)) == (409, []), (fields, page.words)
        root.language = "en"
        in_words = root.post("/lakekey/admin", {**token, **fields})
        assert in_words.status == 409
        assert (GERMAN.findall(alert(in_words)), GERMAN.findall(alert(page)) != []) == ([], True), alert(page)


def test_what_the_buttons_tell_is_german_and_the_servers_own_words_are_marked(visit, place):
    ada, root = visit(ADA), visit()
    ada.connect("prod verbinden")
    for button in ("prod testen", "prod trennen", "prod verbinden"):
        page = ada.press(ada.get(), button)
        assert (page.status, in_english(page)) == (200, []), page.words
    assert in_english(root.press(root.get("/admin"), "portal-app prüfen")) == []
    place.box.register_client(place.app, client_secret="dose-of-another-portal", redirect_uris=[place.redirect_uri])
    refused = root.press(root.get("/admin"), "portal-app prüfen")
    assert (refused.status, in_english(refused)) == (409, [])
    assert "Databricks lehnt das Geheimnis von portal-app ab" in refused.words
    assert '<p class="quiet" lang="en">' in refused.text
