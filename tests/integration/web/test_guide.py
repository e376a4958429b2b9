"""What docs/guides/portal.md shows, run as it stands; and the tests that the page about its security names."""

import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import requests
from a2wsgi import WSGIMiddleware
from itsdangerous import TimestampSigner
from starlette.applications import Starlette
from starlette.routing import Mount

from lakekey.cache.opening import open_cache
from lakekey.web import Portal
from lakekey.web.registrations import Registrations
from support.processes import LAKEKEY
from support.waiting import until_up
from support.web_server import free_socket, serving

from .conftest import ADA, GRACE, Place

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "guides" / "portal.md"
ORIGIN = "https://app.example.com"
AT_HOME = "http://localhost:8000"
PATIENCE = 60.0


def example(word):
    """The guide's one example that holds a word."""
    found = re.findall(r"^```\w+\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (text,) = [block for block in found if word in block]
    return text


def loaded(word):
    """The names that an example defines."""
    names = {"__name__": "guide"}
    exec(compile(example(word), "guide", "exec", dont_inherit=True), names)
    return names


def at_the_guides_address(place, tmp_path, origin=ORIGIN):
    """The app ``prod`` of the guide, registered at its address."""
    Registrations(open_cache()).remove(place.app)
    guides = place.named("prod", f"{origin}/lakekey")
    place.config_file.write_text(f"{guides.config_file.read_text()}warehouse_id = {place.box.warehouse_id}\n")
    guides.register()
    return guides


def browser(address, place, user=ADA, origin=ORIGIN):
    return place.browser(address, user, origin=origin)


def test_fastapi_application_of_the_guide_acts_as_its_user(place, tmp_path):
    at_the_guides_address(place, tmp_path, AT_HOME)
    names = loaded("# app.py")
    page = f"{AT_HOME}/lakekey/#prod"
    with serving(names["app"]) as address:
        ada, grace = (browser(address, place, user, AT_HOME) for user in (ADA, GRACE))
        assert ada.get().status == 401, "a header of the visitor's counts for nothing"
        for person in (ada, grace):
            home = person.request("GET", "/")
            assert home.buttons == [f"I am {ADA}", f"I am {GRACE}"]
            assert person.request("POST", f"/sign-in/{person.user}").headers["Location"] == "/lakekey/"
        before = ada.request("GET", "/me")
        assert (before.status, before.headers["Location"]) == (303, page)
        assert "is connected" in ada.connect().words
        assert ada.request("GET", "/me", headers={"Accept": "application/json"}).text == f'"{ADA}"'
        refused = grace.request("GET", "/me", headers={"Accept": "application/json"})
        assert (refused.status, page in refused.text) == (401, True)
        assert "is connected" in grace.connect().words
        for person in (ada, grace):
            assert person.request("GET", "/me").text == f'"{person.user}"'


def test_flask_with_a_strict_session_is_bridged(place, tmp_path):
    at_the_guides_address(place, tmp_path)
    names = loaded("# shop.py")
    with serving(names["app"]) as address:
        ada = browser(address, place, None)
        assert ada.get().status == 401
        ada.request("POST", f"/sign-in/{ADA}")
        assert "SameSite=Strict" in ada.request("POST", f"/sign-in/{ADA}").headers["Set-Cookie"]
        onward = ada.request("GET", without_strict(ada, ada.back(ada.leave(), ADA))).onward
        ada.cookies.update(STRICT)
        assert f"prod is connected as {ADA}." in ada.request("GET", onward).words
        assert ada.request("GET", "/me").text.strip() == f'{{"acts_as":"{ADA}"}}'


def test_flask_session_that_is_older_than_flask_takes_names_no_user(place, tmp_path, monkeypatch):
    at_the_guides_address(place, tmp_path)
    names = loaded("# shop.py")
    with serving(names["app"]) as address:
        ada = browser(address, place, None)
        for days, status in ((30, 200), (32, 401)):
            with monkeypatch.context() as then:
                moment = int(time.time()) - days * 86400
                then.setattr(TimestampSigner, "get_timestamp", lambda signer, moment=moment: moment)
                ada.request("POST", f"/sign-in/{ADA}")
            assert ada.get().status == status
            me = ada.request("GET", "/me")
            assert (me.status, me.headers.get("Location")) == (
                (302, f"{ORIGIN}/lakekey/#prod") if status == 200 else (401, None)
            )


STRICT = {}


def without_strict(person, path):
    """What a browser does on the way back from another site: it keeps its ``Strict`` cookies to itself."""
    STRICT.clear()
    STRICT["session"] = person.cookies.pop("session")
    return path


@pytest.mark.filterwarnings("ignore::lakekey.ServicePrincipalMissingWarning")
def test_routes_of_ones_own_connect_a_user(place, tmp_path):
    at_the_guides_address(place, tmp_path)
    with serving(WSGIMiddleware(loaded("# halves.py")["app"])) as address:
        ada = browser(address, place, None)
        ada.request("POST", f"/sign-in/{ADA}")
        away = ada.request("POST", "/connect")
        assert away.status == 303
        answer = ada.back(away.headers["Location"], ADA)
        done = ada.request("GET", answer)
        assert (done.status, done.headers.get("Location")) == (303, "/me")
        assert ADA in ada.request("GET", "/me").text
        assert ada.request("GET", answer).status == 303
        other = browser(address, place, None)
        other.request("POST", f"/sign-in/{GRACE}")
        assert other.request("GET", answer).status == 400


STREAMLIT = """
import sys
import streamlit.testing.v1

app = streamlit.testing.v1.AppTest.from_file(sys.argv[1], default_timeout=60)
app.user = {"is_logged_in": len(sys.argv) > 2, **({"email": sys.argv[2]} if "@" in sys.argv[-1] else {})}
app.run()
assert not app.exception, app.exception[0].message
print([each.label for each in app.button], [each.value for each in app.markdown],
      [each.proto.url for each in app.get("link_button")], [each.value for each in app.error])
"""


def test_streamlit_shows_each_user_their_own_or_the_link(place, tmp_path):
    guides = at_the_guides_address(place, tmp_path)
    program = tmp_path / "dashboard.py"
    program.write_text(example("# dashboard.py"))
    portal = Portal(["prod"], url=guides.url, user=lambda request: request.headers.get("x-user"))
    with serving(Starlette(routes=[Mount("/lakekey", app=portal)])) as address:
        assert "is connected" in browser(address, place).connect().words

    def shown_to(*user):
        command = [sys.executable, "-W", "ignore", "-c", STREAMLIT, str(program), *user]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    assert shown_to(ADA) == f"[] ['{ADA}'] [] []"
    assert shown_to(GRACE) == f"[] [] ['{ORIGIN}/lakekey/#prod'] []"
    assert shown_to() == "['Sign in'] [] [] []"
    assert shown_to("no address") == '[] [] [] ["The identity provider\'s ID token has no mail address."]'


DJANGO = """
    import django
    from django.conf import settings
    from django.http import HttpResponse, JsonResponse
    from django.urls import path

    def sign_in(request, name):
        account, _ = get_user_model().objects.get_or_create(username=name)
        login(request, account)
        return HttpResponse()

    def me(request):
        return JsonResponse({"user": request.user.get_username()})

    settings.configure(
        SECRET_KEY="a key for a test", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], DEBUG=False,
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies", SESSION_COOKIE_SAMESITE="Strict",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": __file__ + ".db"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                    "django.contrib.auth.middleware.AuthenticationMiddleware"],
    )
    django.setup()
    from django.contrib.auth import get_user_model, login
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    urlpatterns = [path("sign-in/<name>", sign_in), path("me", me)]
"""


def test_django_is_served_beside_the_portal(place, tmp_path):
    """In a process of its own: Django is configured once, and for all."""
    at_the_guides_address(place, tmp_path)
    (tmp_path / "guide_asgi.py").write_text(textwrap.dedent(DJANGO) + example("asgi.py"))
    with free_socket() as listener:
        port = listener.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "guide_asgi:application",
        "--port",
        str(port),
        "--app-dir",
        str(tmp_path),
    ]
    with (tmp_path / "django.log").open("w") as log:
        process = subprocess.Popen([*command, "--lifespan", "off"], stdout=log, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            until_up(process, tmp_path / "django.log", lambda: is_up(f"{address}/me"))
            ada = browser(address, place, None)
            assert ada.get().status == 401
            ada.request("POST", f"/sign-in/{ADA}")
            assert f"prod is connected as {ADA}." in ada.connect(signs_in=ADA).words
            assert ada.request("GET", "/me").text == f'{{"user": "{ADA}"}}'
        finally:
            process.terminate()
            process.wait(PATIENCE)


def is_up(url):
    try:
        return requests.get(url, timeout=PATIENCE).status_code == 200
    except requests.ConnectionError:
        return False


def test_commands_of_the_guide_register_an_app_that_the_server_takes(place, tmp_path):
    Registrations(open_cache()).remove(place.app)
    guides = Place(place.box, tmp_path, "guides-app", url=f"{AT_HOME}/lakekey")
    place.box.register_client(
        "guides-app", client_secret=guides.secret, redirect_uris=[f"{AT_HOME}/lakekey/callback/prod"],
        grants=("authorization_code", "refresh_token"),
    )  # fmt: skip
    place.config_file.unlink()
    commands = [line for line in example("pip install 'lakekey[sql,web]'").splitlines() if line.startswith("lakekey")]
    values = {"HOST": place.box.host, "WAREHOUSE": place.box.warehouse_id, "CLIENT_ID": "guides-app"}
    environ = {**os.environ, **values, "PATH": f"{os.path.dirname(LAKEKEY)}{os.pathsep}{os.environ['PATH']}"}
    environ["REQUESTS_CA_BUNDLE"] = place.box.ca_bundle
    done = subprocess.run(
        ["sh", "-euc", "\n".join(commands)], env=environ, input=f"{guides.secret}\n", capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "accepts sign-ins through prod" in done.stdout
    assert len(commands) == 3


def test_every_test_that_the_page_about_security_names_is_there():
    page = (ROOT / "docs" / "explanation" / "portal-security.md").read_text(encoding="utf-8")
    written = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 40
    assert named <= written, named - written


def test_each_row_of_the_page_about_security_names_a_test_and_each_failure_has_a_row():
    page = (ROOT / "docs" / "explanation" / "portal-security.md").read_text(encoding="utf-8")
    tables = [table.splitlines() for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)]
    rows = [row for head, _, *rows in tables if "shown by" in head for row in rows]
    assert len(rows) > 80
    assert [row for row in rows if not re.search(r"`test_\w+`", row)] == []
    failures = re.findall(r"B(\d+)(?:\N{EN DASH}B(\d+))?", " ".join(row.split("|")[1] for row in rows))
    told = {number for first, last in failures for number in range(int(first), int(last or first) + 1)}
    assert told == set(range(1, 56))
