"""``lakekey serve``: the metadata service in the foreground, or as a unit of systemd."""

import argparse
import os
import shlex
import signal
import sys
import threading
from types import FrameType

from lakekey._commands import in_powershell
from lakekey.cli.output import print_json
from lakekey.cli.provider import provider_for_target
from lakekey.cli.serving import own_files
from lakekey.cli.serving.databricks_cli import target_for_others
from lakekey.cli.serving.metadata_service import MetadataService

# No option that gives the service a file system of its own, such as PrivateTmp=: a user's systemd then gives it a user
# namespace, too, in which root's directories belong to an unknown user, and a cache below those is refused.
_UNIT = """\
[Unit]
Description=lakekey: Databricks tokens for the SDKs of this user

[Service]
ExecStart={program} serve{arguments}
Environment=LAKEKEY_INTERACTIVE=never
Restart=on-failure
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""
_SLICE = 0.25  # seconds


def serve(arguments: argparse.Namespace) -> int:
    """Serve until interrupted, or print the unit file."""
    if arguments.print_unit:
        print(_unit(arguments), end="")
        return 0
    # The client is a program: it is told what to run, and no browser opens unasked.
    targets = [target_for_others(profile) for profile in arguments.profiles or [None]]
    providers = [provider_for_target(target, "never") for target in targets]
    done = threading.Event()

    def finish(_signal: int, _frame: FrameType | None) -> None:
        done.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last is Ctrl-Break on Windows, or the console's end
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, finish)
    with MetadataService(providers, port=arguments.port) as service:
        threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        if arguments.url_file:
            own_files.write_address(arguments.url_file, service.url)
        try:
            _say([provider.target.host for provider in providers], service.url, arguments)
            while not done.wait(_SLICE):  # on Windows, a wait without an end is deaf to Ctrl-C
                pass
        finally:
            service.shutdown()
            if arguments.url_file:
                own_files.remove_address(arguments.url_file, service.url)
    return 0


def _say(hosts: list[str], url: str, arguments: argparse.Namespace) -> None:
    """Tell that it serves, and where. An address that is written into a file is shown nowhere else."""
    if arguments.json:
        print_json({"hosts": hosts, "url": None if arguments.url_file else url, "url_file": arguments.url_file})
    else:
        print(f"Serving tokens for {', '.join(hosts)}.")
        print("For the programs that use them (keep the address secret):\n")
        if sys.platform == "win32":
            print("  $env:DATABRICKS_AUTH_TYPE = 'metadata-service'")
            file = arguments.url_file
            address = f"Get-Content {in_powershell(file)}" if file else in_powershell(url)
            print(f"  $env:DATABRICKS_METADATA_SERVICE_URL = {address}")
        else:
            print("  export DATABRICKS_AUTH_TYPE=metadata-service")
            address = f'"$(cat {shlex.quote(arguments.url_file)})"' if arguments.url_file else url
            print(f"  export DATABRICKS_METADATA_SERVICE_URL={address}")
    sys.stdout.flush()  # a program may wait for this line through a pipe


def _unit(arguments: argparse.Namespace) -> str:
    own_files.require_systemd("lakekey serve", "/sc onlogon")
    # A variable begins with ``$`` in arguments, and in them alone (systemd.service(5)).
    words = [quoted(profile).replace("$", "$$") for profile in arguments.profiles]
    if arguments.port:
        words.append(f"--port {arguments.port}")
    url_file = arguments.url_file and quoted(os.path.abspath(arguments.url_file)).replace("$", "$$")
    words.append(f"--url-file {url_file or '%t/lakekey.url'}")
    program = os.path.abspath(sys.argv[0])
    own_files.check_unit(program)
    return _UNIT.format(program=quoted(program), arguments="".join(f" {word}" for word in words))


def quoted(word: str) -> str:
    """A word of a unit's command line, in which ``%`` begins a specifier."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
