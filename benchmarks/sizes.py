"""How large a store of 10 to 100,000 sessions is, and how long the commands of an administrator take there.

Usage: ``python benchmarks/sizes.py [COUNT …]`` (default: 10, 1,000, 10,000 and 100,000). Entries are sealed as any, and
written into the server by its own bulk commands; all have their own person and session. The stores' guides have the
numbers.
"""

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import time
from typing import Any

COUNTS = (10, 1_000, 10_000, 100_000)
DAY = 86400.0
PAGE = 2_000
REVOKED = 1_000  # sessions that are signed out of: each is two requests to the authorization server


def main() -> None:
    from fleet import Fleet
    from harness import TESTS, Bench, compile_bytecode

    sys.path[:0] = [TESTS]
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()] or list(COUNTS)
    compile_bytecode()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    for count in counts:
        for name in ("postgresql", "redis"):
            with Bench() as bench, contextlib.ExitStack() as stack:
                found = measured(Fleet(bench, stack), name, count)
            print(f"{name}, {count:,} sessions (load {os.getloadavg()[0]:.1f})")
            for what, value in found.items():
                print(f"  {what:<44} {value}", flush=True)


def measured(fleet: Any, name: str, count: int) -> dict[str, str]:
    """What there is to say about a store of so many sessions."""
    server = getattr(fleet, name)
    if name == "postgresql":
        fleet.postgresql.sql("ALTER ROLE worker SET log_statement = 'none'")
    host = fleet.signed_in(server.address, 3000.0)
    empty = size(server, name)
    began = time.monotonic()
    fill(fleet, host, count - 1)
    found = {"sealing and writing them": _seconds(time.monotonic() - began)}
    found["bytes a session"] = f"{(size(server, name) - empty) / max(count - 1, 1):,.0f}"
    some = next(each for each in fleet.cache(host).store.list(limit=20)[5:] if len(each) == 64)
    commands = {
        "status, one page": ("status",),
        "status --json, all": ("status", "--json"),
        "keys": ("keys",),
        "logout ENTRY": ("logout", some[:12]),
        "keep-alive, nothing due": ("keep-alive", "--once", "--json"),
    }
    for what, words in commands.items():
        found[what] = command(fleet, host, *words)
    host["LAKEKEY_KEY"] = f"{new_key()} {host['LAKEKEY_KEY']}"
    found["keys rotate"] = command(fleet, host, "keys", "rotate")
    host["LAKEKEY_KEY"] = host["LAKEKEY_KEY"].split()[0]
    if count <= REVOKED:
        found["logout --all, revoked at the server"] = command(fleet, host, "logout", "--all", "--json")
    return found


def command(fleet: Any, host: dict[str, str], *words: str) -> str:
    """Runs a command: its seconds, and the most memory that it had."""
    # The kernel's count for the program itself: that of `getrusage` begins with what the process had before its exec.
    program = "import re, sys; from lakekey.cli import main; status = main(sys.argv[1:]); sys.stdout.flush(); "
    program += "most = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read()); "
    program += "print(most[1], file=sys.stderr); sys.exit(status)"
    environ = {**fleet.bench.environment, **host, "LAKEKEY_INTERACTIVE": "never", "NO_COLOR": "1"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, check=False,
    )  # fmt: skip
    taken = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"{words}: {done.stderr}")
    return f"{_seconds(taken)}, {int(done.stderr.split()[-1]) // 1024} MB"


def size(server: Any, name: str) -> int:
    """Bytes that the server uses for the store: on disk, or in memory."""
    if name == "postgresql":
        server.sql("VACUUM lakekey_store")
        return int(server.sql("SELECT pg_total_relation_size('lakekey_store')")[0][0])
    return int(re.search(r"used_memory\W+(\d+)", str(server.command("INFO", "memory")))[1])


def fill(fleet: Any, host: dict[str, str], count: int) -> None:
    """Add sessions of people who signed in a day ago, with sealed bytes as they are, by bulk commands."""
    from lakekey.cache.entry import entry_id
    from lakekey.cache.envelope import seal
    from lakekey.configuration.target import resolve

    cache = fleet.cache(host)
    [name] = cache.list()
    entry, now = cache.read(name).entry, time.time()
    target = resolve(None, host, user="person@example.com", ca_file=fleet.bench.box.ca_file)
    fields, about = target.cache_key_fields(), target.description()
    per_person = {"logged_in_at": now - DAY, "issued_at": now - 600.0, "expires_at": now + 3000.0}
    lasts = {"refresh_expires_at": now + 7 * DAY, "session_ends_at": now + 30 * DAY, "rotates": True}
    rows: list[tuple[str, bytes]] = []
    for number in range(count):
        person = f"person{number}@example.com"
        own = entry_id({**fields, "user": _key_of(person)})
        stored = entry._replace(
            about={**about, "user": person}, identity=person, generation=int(now * 1000), **per_person, **lasts,
            refresh_token=hashlib.sha256(str(number).encode()).hexdigest()[: len(entry.refresh_token)],
        )  # fmt: skip
        rows.append((own, seal(cache.ring, own, stored.to_bytes())))
        if len(rows) == PAGE or number == count - 1:
            _write(fleet, host, rows)
            rows = []
    if host["LAKEKEY_STORE"].startswith("postgresql"):
        fleet.postgresql.sql("ANALYZE lakekey_store")


def _key_of(person: str) -> str:
    from lakekey.configuration.target import person_key

    return str(person_key(person))


def _write(fleet: Any, host: dict[str, str], rows: list[tuple[str, bytes]]) -> None:
    if host["LAKEKEY_STORE"].startswith("postgresql"):
        statement = "COPY lakekey_store (kind, name, body) FROM STDIN"
        with (
            fleet.postgresql.owner("fleet") as connection,
            connection.cursor() as cursor,
            cursor.copy(statement) as copy,
        ):
            for name, body in rows:
                copy.write_row(("entry", name, body))
        return
    with fleet.redis.client() as client, client.pipeline(transaction=False) as pipeline:
        for name, body in rows:
            pipeline.set(f"{{lakekey}}:entry:{name}", body)
        pipeline.zadd("{lakekey}:index:", dict.fromkeys((name for name, _ in rows), 0))
        pipeline.execute()


def new_key() -> str:
    import base64

    return base64.b64encode(os.urandom(32)).decode()


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


if __name__ == "__main__":
    main()
