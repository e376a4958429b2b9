"""A real, headless Chromium, driven by the W3C WebDriver protocol over plain HTTP."""

import base64
import hashlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name for an element's id
_STARTS = 5


def chromium() -> tuple[str, str] | None:
    """The browser and its driver, where both are installed."""
    found = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    return found if all(found) else None


def key_pin(address: str) -> str:
    """The pin of a server's public key, so that the browser trusts this one certificate and no other."""
    parts = urlsplit(address)
    certificate = x509.load_pem_x509_certificate(ssl.get_server_certificate((parts.hostname, parts.port)).encode())
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Chromium:
    """A browser with a fresh profile; a context manager.

    Args:
        directory: For its profile.
        trust: Addresses whose certificates it accepts.
        scripts: Whether pages may run scripts.
    """

    def __init__(self, directory: Path, trust: list[str], *, scripts: bool = True) -> None:
        self._directory, self._trust, self._scripts = directory, trust, scripts

    def __enter__(self) -> Self:
        browser, driver = chromium()
        # It wants the port that the system gives it for one loopback address on the other as well, and ends where
        # another process has taken that: then it is started again.
        said: list[str] = []
        while (base := self._start(driver, said)) is None:
            self.__exit__()
            if len(said) == _STARTS:
                raise RuntimeError(f"chromedriver did not start: {said}")
        self._base = base
        try:
            session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": self._capabilities(browser)}})
        except BaseException:
            self.__exit__()
            raise
        self._base += f"/session/{session['sessionId']}"
        return self

    def __exit__(self, *_: object) -> None:
        # The browser is the driver's child: the whole group ends.
        os.killpg(self._driver.pid, signal.SIGKILL)
        self._driver.stdout.close()
        self._driver.wait()

    def _start(self, driver: str, said: list[str]) -> str | None:
        """Starts the driver. Returns its address, or ``None`` where it has ended; then what it said is noted."""
        self._driver = subprocess.Popen(
            [driver, "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "HOME": str(self._directory)},
            start_new_session=True,
        )
        lines = []
        for line in self._driver.stdout:
            lines.append(line)
            if match := re.search(r"started successfully on port (\d+)", line):
                return f"http://127.0.0.1:{match[1]}"
        said.append("".join(lines))
        return None

    def _capabilities(self, browser: str) -> dict[str, Any]:
        arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
            "--window-size=900,640", f"--user-data-dir={self._directory / 'profile'}",
            f"--ignore-certificate-errors-spki-list={','.join(map(key_pin, self._trust))}",
        ]  # fmt: skip
        prefs = {} if self._scripts else {"profile.managed_default_content_settings.javascript": 2}
        return {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": browser, "args": arguments, "prefs": prefs},
            "goog:loggingPrefs": {"browser": "ALL"},
        }

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, self._base + path, json=body, timeout=60).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{answer['error']}: {answer['message']}")
        return answer

    def open(self, url: str) -> None:
        """Goes to an address and waits for the page."""
        self._call("POST", "/url", {"url": url})

    @property
    def address(self) -> str:
        """Where it is."""
        return self._call("GET", "/url")

    def has(self, selector: str) -> bool:
        """Whether the page has such an element."""
        return bool(self._call("POST", "/elements", {"using": "css selector", "value": selector}))

    def _element(self, selector: str) -> str:
        return self._call("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT]

    def type(self, selector: str, text: str) -> None:
        """Types into a field."""
        self._call("POST", f"/element/{self._element(selector)}/value", {"text": text})

    def choose(self, selector: str) -> None:
        """Clicks something that stays on the page."""
        self._call("POST", f"/element/{self._element(selector)}/click", {})

    def click(self, selector: str) -> None:
        """Clicks, and waits for the page that this leads to."""
        page = self._element("html")
        self.choose(selector)
        deadline = time.monotonic() + 30
        while self._is_there(page):
            if time.monotonic() > deadline:
                raise TimeoutError(f"clicking {selector} leads nowhere")
            time.sleep(0.02)

    def _is_there(self, element: str) -> bool:
        try:
            self._call("GET", f"/element/{element}/name")
        except RuntimeError:  # stale: another page has taken its place
            return False
        return True

    def text(self, selector: str = "body") -> str:
        """What a person reads."""
        return self._call("GET", f"/element/{self._element(selector)}/text")

    def style(self, selector: str, name: str) -> str:
        """A computed style."""
        return self._call("GET", f"/element/{self._element(selector)}/css/{name}")

    def color_scheme(self, scheme: str) -> None:
        """Light or dark, as the person's desktop has it."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        command = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        self._call("POST", "/goog/cdp/execute", command)

    def screen(self, width: int, height: int) -> None:
        """A phone's screen of that size, in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def size(self, selector: str) -> tuple[float, float]:
        """How wide and high an element is, in CSS pixels."""
        found = self._call("GET", f"/element/{self._element(selector)}/rect")
        return found["width"], found["height"]

    def screenshot(self) -> bytes:
        """The page as PNG."""
        return base64.b64decode(self._call("GET", "/screenshot"))

    def complaints(self) -> list[str]:
        """What the console says that is worse than a remark."""
        records = self._call("POST", "/se/log", {"type": "browser"})
        return [record["message"] for record in records if record["level"] == "SEVERE"]
