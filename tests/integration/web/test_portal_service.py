"""What docs/guides/portal-service.md shows: the unit file, the container, and the fragment for Kubernetes."""

import base64
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from lakekey.cache.keys.file import MountedFile
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError
from support.processes import LAKEKEY, lakekey
from support.servers.postgresql import Postgresql
from support.waiting import until_up
from support.web_browser import Browser

from .conftest import ADA, URL, Place
from .test_commands import a_port

PAGE = (Path(__file__).parents[3] / "docs" / "guides" / "portal-service.md").read_text(encoding="utf-8")
PATIENCE = 60.0
#: A mount namespace in which only the cache can be written, without capabilities, as `docker run` is told.
READ_ONLY = (
    'mount -o remount,ro,bind / && mount -t tmpfs -o mode=1777 tmpfs "$1" && shift && '
    'exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"'
)


def shown(word):
    """The page's one example that holds a word."""
    blocks = re.findall(r"^```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return found


def lines_of(instruction):
    return re.findall(rf"^{instruction} (.*)$", shown("FROM python"), re.MULTILINE)


def has_namespaces():
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        return False
    tried = "mount -o remount,ro,bind / && setpriv --bounding-set=-all --inh-caps=-all --no-new-privs true"
    return subprocess.run(["unshare", "--mount", "sh", "-c", tried], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def server():
    with Postgresql() as server:
        yield server


@pytest.fixture
def secrets(lakekey_environment, portal_host, server, tmp_path, monkeypatch):
    """The files that are mounted into the container, and an app that is registered in its store."""
    mounted = tmp_path / "secrets"
    mounted.mkdir()
    (mounted / "lakekey-key").write_text(base64.b64encode(os.urandom(32)).decode())
    (mounted / "lakekey-key").chmod(0o400)
    monkeypatch.setenv("LAKEKEY_STORE", server.address)
    monkeypatch.setenv("LAKEKEY_KEY_FILE", str(mounted / "lakekey-key"))
    monkeypatch.delenv("LAKEKEY_KEY_SOURCE", raising=False)
    lakekey_environment.revoke()
    place = Place(lakekey_environment, tmp_path)
    place.register()
    shutil.copy(place.config_file, mounted / "databrickscfg")
    return place, mounted


@contextmanager
def container(arguments, place, mounted, server, cache):
    """Starts what the Dockerfile starts, with its variables and mounts; gives the process."""
    variables = dict(line.split("=", 1) for line in lines_of("ENV"))
    assert variables["LAKEKEY_KEY_FILE"] == "/run/secrets/lakekey-key"
    variables = {name: value.replace("/run/secrets", str(mounted)) for name, value in variables.items()}
    assert variables["LAKEKEY_CACHE_DIR"] == "/dev/shm/lakekey"
    variables["LAKEKEY_CACHE_DIR"] = f"{cache}/lakekey"
    environ = {
        **variables,
        "LAKEKEY_STORE": server.address,
        "PATH": "/usr/bin:/bin",
        "SSL_CERT_FILE": place.box.ca_bundle,
    }
    program, *words = json.loads(lines_of("ENTRYPOINT")[0])
    assert program == "/opt/portal/bin/lakekey"
    command = [LAKEKEY, *words, *arguments]
    if has_namespaces():
        command = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(cache), *command]
    log = cache.with_suffix(".log")
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environ, stdout=file, stderr=subprocess.STDOUT, cwd="/")
        try:
            yield process, log
        finally:
            process.terminate()
            process.wait(PATIENCE)


def health(port):
    """The exit status of the container's own health check."""
    program, *words = json.loads(lines_of("HEALTHCHECK")[0].removeprefix("CMD "))
    assert program == "/opt/portal/bin/python"
    words[-1] = words[-1].replace(":8030/", f":{port}/")
    return subprocess.run([sys.executable, *words], capture_output=True, check=False, timeout=PATIENCE).returncode


def test_container_without_rights_and_with_a_read_only_root_connects_a_person(secrets, server, tmp_path):
    place, mounted = secrets
    cache, port = tmp_path / "cache", a_port()
    cache.mkdir()
    (given,) = lines_of("CMD")[-1:]
    replaced = {"10.0.0.7": "127.0.0.1", "0.0.0.0": "127.0.0.1", "https://app.example.com/lakekey": URL}
    arguments = [replaced.get(word, word) for word in json.loads(given)] + ["--port", str(port)]
    with container(arguments, place, mounted, server, cache) as (process, log):
        until_up(process, log, lambda: health(port) == 0)
        ada = Browser(f"http://127.0.0.1:{port}", ADA, place.box.ca_file)
        header = {"X-Forwarded-Email": ADA}
        assert ada.get(headers=header).status == 200
        assert ada.get(headers={"X-Forwarded-Email": None}).status == 401
        browser = Named(f"http://127.0.0.1:{port}", ADA, place.box.ca_file)
        assert f"prod is connected as {ADA}." in browser.connect().words
        server.stop()
        try:
            until_up(process, log, lambda: health(port) != 0)  # it looks at the store once a second
        finally:
            server.start()
        until_up(process, log, lambda: health(port) == 0)
    assert "code=" not in log.read_text()


@contextmanager
def acting_as(user):
    """This process with the rights of another user, in a group of the same number."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")
def test_files_as_the_page_prepares_them_are_taken_by_the_container_and_by_root(place):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(place.config_file, f"{folder}/databrickscfg")
        Path(folder, "pgpass").write_text("db.example.com:5432:lakekey:portal:dose-of-pgpass\n")
        environ = {"DATABRICKS_CONFIG_FILE": f"{folder}/databrickscfg", "LAKEKEY_KEY_FILE": f"{folder}/lakekey.key"}
        for path in ("databrickscfg", "pgpass"):
            os.chown(f"{folder}/{path}", 1234, 1234)  # an administrator's own
        key = MountedFile(environ["LAKEKEY_KEY_FILE"])
        with acting_as(10001), pytest.raises(ConfigurationError, match="belongs to user 1234"):
            resolve("prod", environ)
        block = shown("sudo chown root").replace("sudo ", "")
        subprocess.run(["sh", "-e", "-c", block], cwd=folder, check=True, timeout=PATIENCE)
        for user in (10001, 0):
            with acting_as(user):
                assert resolve("prod", environ).host == place.box.host
                assert len(base64.b64decode(key.read())) == 32
        about = os.stat(f"{folder}/pgpass")
        assert (about.st_uid, stat.S_IMODE(about.st_mode)) == (10001, 0o600)  # as libpq asks for


class Named(Browser):
    """A browser behind the page's proxy, which names the user in its own header."""

    def request(self, method, path, *, headers=None, **options):
        return super().request(method, path, headers={"X-Forwarded-Email": self.user, **(headers or {})}, **options)


def test_image_runs_as_no_root_and_holds_no_secret():
    dockerfile = shown("FROM python")
    assert re.fullmatch(r"\d+:\d+", lines_of("USER")[0])
    assert not lines_of("USER")[0].startswith("0")
    assert not re.search(r"SECRET|PASSWORD|TOKEN|COPY", dockerfile)
    options = shlex.split(shown("docker run").replace("\\\n", " "))
    assert {"--read-only", "--cap-drop", "no-new-privileges"} <= set(options)
    mounts = [option.split(":")[1] for option in options if option.startswith("./")]
    named = {
        value for _, value in (line.split("=", 1) for line in lines_of("ENV")) if value.startswith("/run/secrets/")
    }
    assert named < set(mounts)


def test_pod_starts_the_same_portal_from_files_and_has_no_right_to_write():
    deployment = yaml.safe_load(shown("kind: Deployment"))
    pod = deployment["spec"]["template"]["spec"]
    (box,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert box["securityContext"]["readOnlyRootFilesystem"]
    assert box["securityContext"]["capabilities"]["drop"] == ["ALL"]
    mounts = {mount["name"]: mount["mountPath"] for mount in box["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    variables = dict(line.split("=", 1) for line in lines_of("ENV"))
    (items,) = [volume["secret"]["items"] for volume in pod["volumes"] if "secret" in volume]
    files = {f"{mounts['secrets']}/{item['path']}" for item in items}
    assert files == {variables["LAKEKEY_KEY_FILE"], variables["DATABRICKS_CONFIG_FILE"]}
    assert box["args"][0] == "prod"
    done = subprocess.run(
        [LAKEKEY, "web", *box["args"], "--print-unit"], capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )  # fmt: skip
    assert "prod" in done.stderr  # the profile is what is missing: the words are known
    assert "usage" not in done.stderr


def test_cache_of_the_unit_is_where_systemd_lets_a_dynamic_user_write(place, tmp_path):
    done = lakekey("web", "prod", "--url", URL, "--user-header", "X", "--trusted-peer", "::1", "--print-unit")
    (line,) = re.findall(r"^Environment=(.*)$", done.stdout, re.MULTILINE)
    assert "StateDirectory=lakekey" in done.stdout
    state = tmp_path / "state"
    private = state / "private"  # systemd.exec(5), "DynamicUser=": the directory itself, and a link to it
    (private / "lakekey").mkdir(parents=True)
    private.chmod(0o700)
    (state / "lakekey").symlink_to("private/lakekey")
    variables = dict(word.split("=", 1) for word in line.replace("%S", str(state)).split())
    added = subprocess.run(
        [LAKEKEY, "apps", "add", "a", "--client-id", "a", "--host", place.box.host, "--portal", URL],
        env={**os.environ, **variables}, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    assert list((private / "lakekey").iterdir())


def test_unit_that_the_page_prints_is_one_that_systemd_takes(place, tmp_path):
    command = shown("--print-unit").split("> /etc")[0].replace("\\\n", " ")
    words = shlex.split(command)
    assert words[0] == "lakekey"
    done = subprocess.run([LAKEKEY, *words[1:]], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    unit = tmp_path / "lakekey-web.service"
    unit.write_text(done.stdout)
    assert '"--workers" "2"' in done.stdout
    assert "DynamicUser=yes" in done.stdout
    assert "/etc/lakekey/web.env" in done.stdout
    assert "/etc/lakekey/web.env" in PAGE
    if shutil.which("systemd-analyze"):
        checked = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert not [line for line in checked.stderr.splitlines() if str(unit) in line or unit.name in line]
        unit.write_text(done.stdout.replace("Restart=on-failure", "Restart=at-times"))
        checked = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert "at-times" in checked.stderr  # it does look
        assert rating(done.stdout, tmp_path) < 2.5
        assert rating(done.stdout.replace("CapabilityBoundingSet=\n", ""), tmp_path) > 2.5


def rating(unit, directory):
    """How exposed systemd finds a unit, from 0 to 10."""
    path = directory / "lakekey-web.service"
    path.write_text(unit)
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)[1])
