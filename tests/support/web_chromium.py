"""Chromium before a portal: with scripts of the test's own, keys, media features, and axe-core's rules."""

import time
from pathlib import Path

from support.chromium import Chromium
from support.node_packages import ensure_installed

AXE_DIRECTORY = Path(__file__).parent / "axe"
_AXE = AXE_DIRECTORY / "node_modules" / "axe-core" / "axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: arguments[0]}).then(
    found => done(found.violations.map(each => each.id + ": " + each.nodes.map(node => node.html).join(" ; "))),
    error => done([String(error)]));
"""
_PATIENCE = 60.0
TAB, ENTER = "\ue004", "\ue007"


class PortalChromium(Chromium):
    """A browser of one person."""

    def is_asked(self):
        """Waits for the sandbox's page."""
        self.reads("Who are you?")

    def signs_in(self, user):
        """Signs in there."""
        self.is_asked()
        self.choose(f'input[value="{user}"]')
        self.choose('button[value="sign-in"]')

    def cancels(self):
        """Does not."""
        self.choose('button[value="cancel"]')

    def script(self, text, *arguments):
        """What a script of the test returns."""
        return self._call("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def findings(self):
        """What axe-core finds on the page, for WCAG 2.2 AA."""
        ensure_installed(AXE_DIRECTORY)
        self.script(_AXE.read_text(encoding="utf-8"))
        return self._call("POST", "/execute/async", {"script": _RUN, "args": [_TAGS]})

    def media(self, **features):
        """What the person's desktop asks for: ``color_scheme="dark"``, ``forced_colors="active"``, …."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": named}})

    def size(self, width, height=800, zoom=1.0):
        """A window of that size in CSS pixels, and the zoom of text and all."""
        size = {"width": int(width / zoom), "height": int(height / zoom), "deviceScaleFactor": zoom, "mobile": False}
        self._call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def press(self, key, times=1):
        """Presses a key."""
        one = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": one * times}]})

    def tabs(self):
        """The tabs, in the order in which they were opened."""
        return self._call("GET", "/window/handles")

    def turn_to(self, tab):
        """Goes to a tab."""
        self._call("POST", "/window", {"handle": tab})

    def close_tab(self):
        """Closes the tab that it is in."""
        self._call("DELETE", "/window")

    def language(self, name):
        """The language that requests ask for."""
        self._call("POST", "/goog/cdp/execute", {"cmd": "Network.enable", "params": {}})
        headers = {"cmd": "Network.setExtraHTTPHeaders", "params": {"headers": {"Accept-Language": name}}}
        self._call("POST", "/goog/cdp/execute", headers)

    def to_newest_window(self):
        """Goes to the window, or tab, that a link has opened."""
        deadline = time.monotonic() + _PATIENCE
        while len(handles := self._call("GET", "/window/handles")) < 2:
            assert time.monotonic() < deadline, "no window opens"
            time.sleep(0.02)
        self._call("POST", "/window", {"handle": handles[-1]})

    def framed(self, url):
        """Shows an address in a frame of this page, waits until it is loaded or refused, and goes into the frame."""
        text = "const done = arguments[1], frame = document.createElement('iframe');"
        text += "frame.onload = () => done(); frame.src = arguments[0]; document.body.append(frame);"
        self._call("POST", "/execute/async", {"script": text, "args": [url]})
        self._call("POST", "/frame", {"id": 0})

    def reads(self, words):
        """Waits until the page has these words; returns all of its words."""
        deadline, text = time.monotonic() + _PATIENCE, ""
        while time.monotonic() < deadline:
            try:
                text = " ".join(self.text().split())
            except RuntimeError:  # between two pages
                continue
            if words in text:
                return text
            time.sleep(0.02)
        raise TimeoutError(f"{words!r} does not come: {text}")
