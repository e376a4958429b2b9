"""Each act on a session leaves one audit record: in the logger, as a line of JSON, and in OpenTelemetry's logs."""

import io
import json
import logging
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lakekey as lakekey_package
from lakekey import CredentialsRefused, LoginDenied, LoginRequired, TokenEndpointError, _inside_work
from lakekey.cache.opening import open_cache
from lakekey.cache.rotation import rotate
from lakekey.observability import audit
from lakekey.session import removal
from support import secret_scan
from support.processes import lakekey
from support.sessions import QUICK, Machine

PAGE = (Path(__file__).parents[3] / "docs/reference/audit.md").read_text(encoding="utf-8")
WRITERS = """
import sys
from lakekey.observability import audit
for number in range(50):
    audit.record(audit.ADMINISTRATION, action="test", detail="x" * 400, who=f"{sys.argv[1]}-{number}")
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "audit.jsonl"
    monkeypatch.setenv("LAKEKEY_AUDIT", str(path))
    return path


@pytest.fixture
def lines(file):
    """The records so far; each call looks for secrets, too."""

    def read():
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        secret_scan.exported(text)
        return [json.loads(line) for line in text.splitlines()]

    return read


@pytest.fixture
def machine(oidc_server, tmp_path, monkeypatch, attended):
    monkeypatch.setenv("BROWSER", oidc_server.browser().removesuffix(" &"))
    return Machine(oidc_server, tmp_path / "cache", timing=QUICK)


def events(records):
    return [(each["event"], each["outcome"], each["action"] or each["detail"]) for each in records]


@pytest.mark.on_windows
def test_a_session_from_its_sign_in_to_its_end(machine, lines, person_leaves):
    provider = machine.provider()
    provider.login()
    first = provider.token().access_token
    machine.provider().invalidate(first)
    machine.provider().headers()
    provider.invalidate(first)
    provider.headers()
    machine.server.revoke_all()
    person_leaves()
    machine.store(left=-60, refresh_token=machine.stored().refresh_token, identity="ada@example.com")
    with pytest.raises(LoginRequired):
        machine.provider().headers()
    machine.provider().logout()
    found = lines()
    assert events(found) == [
        ("key_change", "done", "chosen"),
        ("sign_in", "done", None),
        ("renewal", "done", None),
        ("adoption", "done", None),
        ("refusal", "refused", "invalid_grant"),
        ("sign_out", "done", "revoked"),
    ]
    for each in found:
        assert list(each) == list(audit.FIELDS)
        assert (each["schema"], each["host"], each["process"]) == (1, socket.gethostname(), os.getpid())
        assert each["store"] == str(machine.directory)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", each["time"])
    for each in found[1:]:
        assert each["who"] == "ada@example.com"
        assert each["entry"] == machine.entry_id
        assert (each["workspace"], each["auth_type"]) == (machine.target.host, "external-browser")
    times = [each["time"] for each in found]
    assert times == sorted(times)


def test_what_fails_is_recorded_by_its_code(machine, lines, monkeypatch):
    monkeypatch.setenv("BROWSER", machine.server.browser(decline=True).removesuffix(" &"))
    with pytest.raises(LoginDenied):
        machine.provider().login()
    machine.sign_in()
    with machine.server.fault("token", "status", status=503, times=None), pytest.raises(TokenEndpointError):
        machine.provider().headers()
    assert events(lines())[1:] == [("sign_in", "failed", "login_denied"), ("renewal", "failed", "token_endpoint")]


def test_a_service_principal_is_named_by_its_application_id(oidc_server, tmp_path, lines):
    service = Machine(oidc_server, tmp_path / "cache", service=True)
    service.provider().headers()
    with pytest.raises(CredentialsRefused):
        service.provider(client_secret="dose-a-wrong-secret").headers()
    found = lines()
    assert events(found)[1:] == [("renewal", "done", None), ("refusal", "refused", "credentials_refused")]
    assert {each["who"] for each in found[1:]} == {oidc_server.service_principal.client_id}


def test_changes_of_the_key(bare_machine, lines):
    open_cache().begin()
    done = rotate(open_cache())
    (chosen, rotated) = lines()
    assert (chosen["event"], chosen["action"]) == ("key_change", "chosen")
    assert (rotated["event"], rotated["action"]) == ("key_change", "rotated")
    assert rotated["detail"] == f"file {done.current}, 0 sealed again"


def test_what_an_administrator_does(bare_machine, machine, lines, monkeypatch):
    machine.sign_in()
    assert removal.remove(machine.cache, machine.entry_id)
    assert not removal.remove(machine.cache, machine.entry_id)
    config = bare_machine / "profiles"
    config.write_text("[app]\nhost = https://dbc-1.cloud.databricks.com\nclient_id = app-1\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(config))
    sealed = subprocess.run(
        [sys.executable, "-m", "lakekey", "secret", "set", "app"],
        input="dose-secret-of-the-app\n", text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert sealed.returncode == 0, sealed.stderr
    assert lakekey("secret", "remove", "app").returncode == 0
    acts = [each for each in lines() if each["event"] == "administration"]
    assert [each["action"] for each in acts] == ["entry_removed", "secret_set", "secret_removed"]
    assert acts[0]["entry"] == machine.entry_id
    assert (acts[1]["who"], acts[1]["profile"]) == ("app-1", "app")
    assert "dose-secret" not in json.dumps(acts)


def test_no_record_is_made_inside_a_renewal(machine, file):
    """A handler may need a lock that a waiting thread holds: it is called by the threads that wait, not by the work."""
    machine.sign_in()
    called = []

    class Handler(logging.Handler):
        def emit(self, record):
            called.append((record.__dict__["lakekey.event"], _inside_work.inside(), threading.current_thread().name))

    handler = Handler()
    logger = logging.getLogger("lakekey.audit")
    logger.addHandler(handler)
    try:
        machine.provider().headers()
    finally:
        logger.removeHandler(handler)
    assert called == [("renewal", False, threading.current_thread().name)]


def test_the_pages_formatter_writes_the_same_line(machine, file, monkeypatch):
    machine.sign_in()
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    here, logger = {}, logging.getLogger("lakekey.audit")
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(example, here)
    try:
        machine.provider().headers()
        logger.warning("a record of another kind")
    finally:
        logger.removeHandler(here["handler"])
        logger.setLevel(logging.NOTSET)
    first, second = written.getvalue().splitlines()
    assert first == file.read_text().splitlines()[-1]
    assert json.loads(second)["detail"] == "a record of another kind"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_opentelemetrys_handler_exports_the_fields(machine):
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

    machine.sign_in()
    exporter, provider = InMemoryLogRecordExporter(), LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler, logger = LoggingHandler(logger_provider=provider), logging.getLogger("lakekey.audit")
    logger.addHandler(handler)
    try:
        machine.provider().headers()
    finally:
        logger.removeHandler(handler)
        provider.shutdown()
    (exported,) = exporter.get_finished_logs()
    attributes = exported.log_record.attributes
    assert attributes["lakekey.event"] == "renewal"
    assert attributes["lakekey.entry"] == machine.entry_id
    secret_scan.exported(str(attributes))


@pytest.mark.on_windows
def test_lines_of_many_processes_do_not_mix(file, lines):
    writers = [subprocess.Popen([sys.executable, "-c", WRITERS, str(number)]) for number in range(6)]
    assert [writer.wait(60) for writer in writers] == [0] * 6
    found = lines()
    assert len(found) == 300
    assert len({each["who"] for each in found}) == 300


@pytest.mark.posix_owners
def test_the_file_is_private_and_appended_to_after_a_log_rotation(file, lines):
    audit.record(audit.ADMINISTRATION, action="one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.rename(file.with_suffix(".1"))
    audit.record(audit.ADMINISTRATION, action="two")
    assert [each["action"] for each in lines()] == ["two"]


@pytest.mark.posix_owners
@pytest.mark.parametrize("kind", ["link", "pipe", "directory", "writable", "nowhere"])
def test_a_file_that_is_not_safe_costs_one_warning_and_no_token(machine, file, caplog, kind):
    machine.sign_in()
    audit._reported.clear()
    file.unlink(missing_ok=True)
    if kind == "link":
        file.symlink_to(file.with_name("elsewhere"))
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "directory":
        file.mkdir()
    elif kind == "writable":
        file.touch()
        file.chmod(0o622)
    else:
        os.environ["LAKEKEY_AUDIT"] = str(file / "no" / "such")
    machine.provider().headers()
    machine.provider().logout()
    said = [each.getMessage() for each in caplog.records if "audit records cannot be written" in each.getMessage()]
    assert len(said) == 1
    assert not file.with_name("elsewhere").exists()


def test_a_field_keeps_to_one_line_of_bounded_length(file, lines):
    audit.record(audit.ADMINISTRATION, action="a", who="ada\n\x1b[31m\u202eevil" + "x" * 2000)
    (only,) = lines()
    assert only["who"].startswith("ada??[31m?evilx")
    assert len(only["who"]) == 500


def test_without_a_file_and_without_logging_nothing_is_loaded():
    program = (
        "import sys; from lakekey.observability import audit; audit.record('renewal'); print('logging' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == "False\n"


def test_the_page_has_each_field_and_each_event():
    table = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Fields")[2].partition("\n## ")[0], re.MULTILINE)
    assert tuple(table) == audit.FIELDS
    events_of_the_page = PAGE.partition("## Events")[2].partition("The actions of")[0]
    listed = re.findall(r"^\| `(\w+)` \|", events_of_the_page, re.MULTILINE)
    every = (audit.SIGN_IN, audit.RENEWAL, audit.ADOPTION, audit.REFUSAL, audit.SIGN_OUT, audit.KEY_CHANGE)
    assert tuple(listed) == (*every, audit.ADMINISTRATION)


def test_the_page_has_each_action_there_is():
    source = "\n".join(path.read_text(encoding="utf-8") for path in Path(lakekey_package.__file__).parent.rglob("*.py"))
    named = set(re.findall(r"""action=["'](\w+)["']""", source)) | {"secret_set", "secret_removed"}
    named |= {each.replace(" ", "_") for each in re.findall(r"""_told\(["']([\w ]+)["']""", source)}
    table = PAGE.partition("The actions of")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    others = {"append", "store_true", "moved"}  # of argparse, and of `key_change`
    assert {each for row in rows for each in re.findall(r"`(\w+)`", row)} == named - others
    assert not re.search(r"""action=["'][^"']* [^"']*["']""", source.replace('method="post" action=', ""))
