"""The unit file of ``lakekey web`` for systemd."""

from collections.abc import Sequence

_UNIT = """\
[Unit]
Description=lakekey web: hosted sign-in to Databricks
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={command}
DynamicUser=yes
StateDirectory=lakekey
StateDirectoryMode=0700
UMask=0077
# Not the state directory itself, which is a link where the user is dynamic: no cache may be one.
Environment=LAKEKEY_CACHE_DIR=%S/lakekey/cache LAKEKEY_INTERACTIVE=never
# The store and the key, which are not for the unit file: LAKEKEY_STORE=…, LAKEKEY_KEY_SOURCE=…
EnvironmentFile=-/etc/lakekey/web.env
Restart=on-failure
# A core would hold tokens.
LimitCORE=0
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
# Sockets of a database, a proxy or a key agent are AF_UNIX; the C library asks for addresses by AF_NETLINK.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
#: The directories that ``ProtectHome=`` empties (systemd.exec(5)).
_HOMES = ("/home", "/root", "/run/user")


def unit(program: str, arguments: Sequence[str]) -> str:
    """The unit that runs a command.

    Args:
        program: Its absolute path.
        arguments: What follows it.
    """
    return _UNIT.format(command=" ".join(map(_quoted, (program, *arguments))))


def home_of(program: str) -> str | None:
    """The directory in which a program is and of which the unit sees nothing; ``None`` if it sees the program."""
    return next((home for home in _HOMES if program.startswith(f"{home}/")), None)


def _quoted(word: str) -> str:
    """A word of a unit's command line, in which ``%`` begins a specifier and ``$`` a variable (systemd.service(5))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
