"""In a notebook, the person is asked in the notebook; a notebook that runs unattended does not ask."""

import contextlib
import os
import queue
import re

import pytest
from jupyter_client.manager import start_new_kernel

from support.program import environment


@pytest.fixture
def kernel(oidc_server, tmp_path):
    """A real IPython kernel on the server of a hub, far from the person's browser: its manager, and its client."""
    settings = environment(oidc_server, tmp_path / "cache", JUPYTERHUB_USER="ada", LAKEKEY_INTERACTIVE="auto")
    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, **settings})
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(kernel):
    """The client of that kernel."""
    return kernel[1]


def run(client, code, *, attended, type_in=None, sees=lambda _: None):
    """Runs a cell as a front end does; what it printed, and how it failed.

    What is printed and what is asked for come on two channels, in any order: ``type_in`` is told all that was printed,
    again and again, until it has an answer. ``sees`` is told all that was printed with each piece.
    """
    cell = client.execute(code, allow_stdin=attended)
    printed, failure, asked = "", None, False
    while True:
        try:
            message = client.get_iopub_msg(timeout=0.1)
        except queue.Empty:
            pass
        else:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
                sees(printed)
            elif message["msg_type"] == "error":
                failure = f"{content['ename']}: {content['evalue']}"
            elif message["parent_header"].get("msg_id") == cell and content.get("execution_state") == "idle":
                return printed, failure
        with contextlib.suppress(queue.Empty):
            client.get_stdin_msg(timeout=0.1)
            asked = True
        if asked and (answer := type_in(printed)):
            client.input(answer)
            asked = False


def test_the_answer_is_pasted_into_the_notebook(oidc_server, notebook):
    def paste(printed):
        address = re.search(r"https://\S+/authorize\S+(?=\s)", printed)
        return address and oidc_server.sign_in(address[0], deliver=False).redirect

    code = "import lakekey; p = lakekey.provider(); print(sorted(p.headers()), p.identity())"
    printed, failure = run(notebook, code, attended=True, type_in=paste)
    assert failure is None
    assert "['Authorization'] ada@example.com" in printed
    assert re.search(r"\rWaiting for you in the browser: \d+ s left, interrupt the cell to end it\. ", printed)


def test_wait_counts_down_in_the_cell_until_that_is_interrupted(kernel):
    manager, client = kernel
    interrupted = []

    def interrupt(printed):
        if not interrupted and len(set(re.findall(r"\r[^\r]*?(\d+) s left", printed))) == 2:
            interrupted.append(True)
            manager.interrupt_kernel()

    setup = "import os, lakekey; os.environ |= {'LAKEKEY_INTERACTIVE': 'browser', 'BROWSER': 'none'}"
    printed, failure = run(client, f"{setup}; lakekey.login()", attended=True, sees=interrupt)
    assert failure.startswith("KeyboardInterrupt"), printed
    assert "s left, interrupt the cell to end it. " in printed
    assert "You have" not in printed


def test_an_unattended_notebook_is_told_to_sign_in_elsewhere(oidc_server, notebook):
    printed, failure = run(notebook, "import lakekey; lakekey.provider().headers()", attended=False)
    assert failure.startswith("LoginRequired")
    assert "lakekey login" in failure
    assert "/authorize?" not in printed
    assert oidc_server.log() == []
