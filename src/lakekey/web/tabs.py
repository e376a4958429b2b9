"""Sign-ins in a tab of their own: how the first tab learns the result.

The browser opens the tab itself, for the click on a form. Nothing goes through ``window.opener``, which the
authorization server's ``Cross-Origin-Opener-Policy`` cuts: the tabs tell each other on a channel of this origin, and
the one that stays asks the server when it is looked at again. Without scripts it has a link that does the same.
"""

from urllib.parse import urlsplit

from lakekey.web import frame

#: The script, at ``/tab.js``. It shows nothing and takes no words from others; it only opens the page again.
SCRIPT = """\
"use strict";
const base = document.currentScript.src.slice(0, -"tab.js".length);
const shown = () => [...document.querySelectorAll("li[data-state]")].map(each => each.dataset.state).join();
const again = () => location.replace(base);
const channel = new BroadcastChannel("lakekey " + base);
channel.onmessage = again;
if (document.querySelector(".message")) channel.postMessage("changed");
document.addEventListener("visibilitychange", async () => {
  if (document.hidden) return;
  const answer = await fetch(base + "connections", {headers: {Accept: "application/json"}});
  if (answer.status === 401) return again();
  if (!answer.ok) return;
  const now = (await answer.json()).connections.map(each => each.state).join();
  if (now !== shown()) again();
});
"""


def policy(url: str) -> str:
    """The content security policy of a page with the script: this one file may run, and ask this one address.

    Args:
        url: The portal's own address.
    """
    if ":" in (urlsplit(url).hostname or ""):  # hosts of the policy's grammar are names and IPv4 (CSP3 §2.3.1)
        return f"{frame.HEADERS['Content-Security-Policy']}; script-src 'self'; connect-src 'self'"
    here = url.replace(";", "%3B").replace(",", "%2C")  # as the policy's own grammar has it (CSP3 §2.2)
    return f"{frame.HEADERS['Content-Security-Policy']}; script-src {here}/tab.js; connect-src {here}/connections"
