"""One session for many hosts: what a store on a server costs, and how many requests a fleet and its peers make.

The servers are real ones on loopback, started for the run: PostgreSQL with 20 connections, and Redis with an
append-only file. Requests, and refresh tokens that were presented twice, are counted by the authorization server.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

HOMES, THREADS = 20, 10  # hosts, each of one process, and its threads
STATEMENTS = 6  # that a client may send beyond polling; the threads of a host are sent for together
CROWD = 8
SLOW = 12.0  # seconds that a slow token endpoint takes
PATIENCE = 60.0  # seconds for a peer's process
OPERATIONS = 150
DELAY = 1.0  # seconds that a slow store takes for a reply; connecting alone takes four
KILLED = 3
PEERS = {
    "msal, its serializable cache in a table": ("msal", 0.0),
    "authlib, its token in a table": ("authlib", 0.0),
    "a lease as n8n describes it": ("lease", 0.0),
    f"a lease as n8n describes it, the endpoint takes {SLOW:g} s": ("lease", SLOW),
    "a lock as Superset describes it": ("lock", 0.0),
    f"a lock as Superset describes it, the endpoint takes {SLOW:g} s": ("lock", SLOW),
}


class Fleet:
    """Servers, and hosts that share one of them; each host has a home of its own.

    Attributes:
        postgresql: The server.
        redis: The other one.
    """

    def __init__(self, bench: Any, stack: contextlib.ExitStack) -> None:
        from support.servers.postgresql import Postgresql
        from support.servers.redis import Redis

        self.bench = bench
        self.postgresql = stack.enter_context(Postgresql())
        self.postgresql.sql("ALTER ROLE worker SET log_statement = 'all'")
        self.redis = stack.enter_context(Redis())
        self._key = base64.b64encode(os.urandom(32)).decode()
        self._hosts = 0

    def host(self, address: str) -> dict[str, str]:
        """The environment of a host that nothing has run on yet."""
        self._hosts += 1
        home = os.path.join(self.bench.home, f"fleet-{self._hosts}")
        os.mkdir(home, 0o700)
        return {
            "HOME": home, "TMPDIR": home, "LAKEKEY_CACHE_DIR": os.path.join(home, "cache"), "LAKEKEY_STORE": address,
            "LAKEKEY_KEY": self._key, "LAKEKEY_KEY_SOURCE": "env", "DATABRICKS_HOST": self.bench.box.host,
        }  # fmt: skip

    def cache(self, host: Mapping[str, str]) -> Any:
        """A cache as a process of a host opens it."""
        from lakekey.cache.opening import open_cache

        return open_cache(host)

    def signed_in(self, address: str, left: float = -60.0) -> dict[str, str]:
        """A host on which a person has signed in to an empty store, whose access token has so many seconds left."""
        (self.postgresql if address.startswith("postgresql") else self.redis).clear()
        host = self.host(address)
        self.bench.child(["-c", "import lakekey; lakekey.provider().headers()"], **host)
        self.expire(host, left)
        return host

    def expire(self, host: Mapping[str, str], left: float = -60.0) -> None:
        """Give the only session's access token so many seconds from now."""
        cache = self.cache(host)
        [entry_id] = cache.list()
        stored = cache.read(entry_id)
        age = time.time() + left - stored.entry.expires_at
        entry = stored.entry._replace(issued_at=stored.entry.issued_at + age, expires_at=stored.entry.expires_at + age)
        if cache.put(entry_id, entry, replaces=stored.envelope) is None:
            raise RuntimeError("the session changed meanwhile")
        shutil.rmtree(os.path.join(host["LAKEKEY_CACHE_DIR"], "near"), ignore_errors=True)

    def statements(self) -> "dict[str, int]":
        """Statements that PostgreSQL has executed for workers so far, by their first word."""
        log = self.postgresql.log(None)
        counts: dict[str, int] = {}
        for word in re.findall(r"LOG:  (?:execute [^:]*|statement): *\n?\s*(\w+)", log):
            counts[word.upper()] = counts.get(word.upper(), 0) + 1
        return counts

    def evals(self) -> int:
        """Scripts that Redis has run so far."""
        found = re.search(r"cmdstat_eval\W+calls\W+(\d+)", str(self.redis.command("INFO", "commandstats")))
        return int(found[1]) if found else 0


def run(bench: Any) -> list[Any]:
    from harness import TESTS

    sys.path[:0] = [TESTS] if TESTS not in sys.path else []
    with contextlib.ExitStack() as stack:
        fleet = Fleet(bench, stack)
        rows = start(fleet)
        rows += operations(fleet)
        rows += storms(fleet)
        rows += peers(fleet)
        rows += entries(fleet)
        rows += slow_store(fleet)
        rows += killed(fleet)
    return rows


def start(fleet: Fleet) -> list[Any]:
    """A new process of a host that has a near copy."""
    from cold_start import FLOOR
    from harness import Row

    programs, environments = {"floor": FLOOR}, {}
    for name, address in (("PostgreSQL", fleet.postgresql.address), ("Redis", fleet.redis.address)):
        environments[name] = fleet.signed_in(address, 3000.0)
        programs[name] = "import lakekey; lakekey.provider().headers()"
    before = fleet.bench.box.counters["token.requests"]
    medians = fleet.bench.process_times(programs, rounds=5, environments=environments)
    if fleet.bench.box.counters["token.requests"] != before:
        raise RuntimeError("a copy was not warm: there were token requests")
    what = "a new process to its first header, warm, the session in"
    return [
        Row(f"{what} {name}", medians[name], "the floor", medians[name] / medians["floor"], 1.2)
        for name in ("PostgreSQL", "Redis")
    ]


def operations(fleet: Fleet) -> list[Any]:
    """The five operations of a refresh, by the store and by the bare client library, in turn."""
    from harness import Row

    fleet.postgresql.sql("ALTER ROLE worker SET log_statement = 'none'")
    rows = []
    for name, ours, theirs in (
        ("psycopg", fleet.postgresql.store(), _bare_psycopg(fleet.postgresql.address)),
        ("redis-py", fleet.redis.store(), _bare_redis(fleet.redis.address)),
    ):
        body = os.urandom(1300)
        for connections, together in (("a connection each", False), ("on one connection", True)):
            mine: list[float] = []
            bare: list[float] = []
            with ours.together() if together else contextlib.nullcontext(), theirs(together) as ask:
                for number in range(OPERATIONS):
                    mine.append(_timed(lambda: _refresh(ours, f"{number:064x}", body)))  # noqa: B023
                    bare.append(_timed(lambda: ask(f"{number:064x}", body)))  # noqa: B023
            median, base = statistics.median(mine), statistics.median(bare)
            what = f"read, lease, intent, write, release: {connections}"
            note = f"{5 / median:,.0f} operations a second, and {5 / base:,.0f}"
            rows.append(Row(what, median, f"bare {name}, the same statements", median / base, 2.0, note))
    fleet.postgresql.sql("ALTER ROLE worker SET log_statement = 'all'")
    return rows


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _refresh(store: Any, name: str, body: bytes) -> None:
    """What one refresh asks of a store; the names are new, so that nothing has to be removed before."""
    nonce = os.urandom(16)
    store.read(name)
    store._leases._keeper.take(name, nonce, "a host", 10.0)
    store.put(name, body, replaces=None)
    store.put(name, body + b"2", replaces=body)
    store._leases._keeper.release(name, nonce)


def _bare_psycopg(address: str) -> Any:
    import psycopg

    from lakekey.cache.stores import postgresql as statements
    from lakekey.cache.stores import postgresql_leases as leases

    def ask(name: str, body: bytes, execute: Callable[..., Any]) -> None:
        name, nonce = f"{'f' * 8}{name[8:]}", os.urandom(16)
        execute(statements._READ, ("entry", name))
        execute(leases.TAKE, (name, nonce, "a host", 10.0, b"", 11.0, name, 11.0))
        execute(statements._INSERT, ("entry", name, body))
        execute(statements._UPDATE, (body + b"2", "entry", name, body))
        execute(leases.RELEASE, (name, nonce))

    @contextlib.contextmanager
    def bare(together: bool) -> Iterator[Callable[[str, bytes], None]]:
        def by_itself(statement: str, values: Any) -> None:
            with psycopg.connect(address, autocommit=True) as connection:
                cursor = connection.execute(statement, values)
                if cursor.description is not None:
                    cursor.fetchall()

        if not together:
            yield lambda name, body: ask(name, body, by_itself)
            return
        with psycopg.connect(address, autocommit=True, prepare_threshold=None) as connection:
            yield lambda name, body: ask(name, body, connection.execute)

    return bare


def _bare_redis(address: str) -> Any:
    import redis

    from lakekey.cache.stores import redis as scripts
    from lakekey.cache.stores import redis_leases as leases

    def ask(name: str, body: bytes, run: Callable[..., Any]) -> None:
        entry, lease, index = f"{{lakekey}}:entry:f{name}", f"{{lakekey}}:lease:f{name}", "{lakekey}:index:"
        nonce = os.urandom(16)
        run(scripts._READ, 1, entry)
        run(leases.TAKE, 1, lease, nonce, "a host", 10000, b"")
        run(scripts._SWAP, 2, entry, index, body, b"", f"f{name}")
        run(scripts._SWAP, 2, entry, index, body + b"2", body, f"f{name}")
        run(leases.RELEASE, 1, lease, nonce)

    @contextlib.contextmanager
    def bare(together: bool) -> Iterator[Callable[[str, bytes], None]]:
        def by_itself(*words: Any) -> None:
            with contextlib.closing(redis.Redis.from_url(address)) as client:
                client.eval(*words)

        with contextlib.closing(redis.Redis.from_url(address)) as client:
            yield lambda name, body: ask(name, body, client.eval if together else by_itself)

    return bare


def storms(fleet: Fleet) -> list[Any]:
    """Two hundred clients, in processes of which each is at home elsewhere, on one expired session."""
    from herd import _ours

    rows = []
    for name, address in (("PostgreSQL of 20 connections", fleet.postgresql.address), ("Redis", fleet.redis.address)):
        host = fleet.signed_in(address)
        alone = storm(fleet, host, 1, 1)["slowest"]
        fleet.expire(host)
        before, scripts = fleet.statements(), fleet.evals()
        end = storm(fleet, host, HOMES, THREADS)
        what = f"{HOMES * THREADS} clients in {HOMES} homes on one expired session in {name}"
        row = _ours(what, [end], alone)
        if name == "Redis":
            note = f"{(fleet.evals() - scripts) / HOMES:.1f} scripts a host"
        else:
            now = fleet.statements()
            looks = now["SELECT"] - before.get("SELECT", 0)
            other = sum(now.values()) - sum(before.values()) - looks
            note = f"{other / HOMES:.1f} statements a host, of {STATEMENTS} allowed, and {looks / HOMES:.1f} looks"
            row = row._replace(met=row.met is not False and other <= STATEMENTS * HOMES)
        rows.append(
            row._replace(note=f"{row.note.removeprefix('1 storms, the worst; ')}; {note}; {end['reuses']} reuses")
        )
    return rows


def storm(fleet: Fleet, host: Mapping[str, str], processes: int, threads: int) -> dict[str, float]:
    """Lets them loose: token requests, failures, reuses of a spent token, the slowest header in seconds."""
    from crowd import Process

    fleet.bench.box.reset_log()
    homes = tempfile.mkdtemp(prefix="homes-", dir=host["HOME"])
    environ = {**host, "LAKEKEY_INTERACTIVE": "never", "STORM_HOMES": homes}
    with Process(fleet.bench, ["-m", "support.programs.storm", str(processes), str(threads)], environ) as zygote:
        zygote.until("ready")
        zygote.go_on()
        reports = [zygote.until("process") for _ in range(processes)]
        zygote.until("result")
    counters = fleet.bench.box.counters
    return {
        "requests": counters["token.requests"],
        "reuses": counters["reuses"],
        "failures": sum(len(report["errors"]) for report in reports),
        "headers": sum(len(report["seconds"]) for report in reports),
        "browsers": 0,
        "slowest": max(max(report["seconds"]) for report in reports),
    }


def peers(fleet: Fleet) -> list[Any]:
    """Eight processes of each peer, and of ours, on one expired session in a server's table."""
    from harness import Row

    def row(what: str, requests: int, reuses: int, served: int, slowest: float, *, ours: bool) -> Any:
        counted = f"{requests} token request{'' if requests == 1 else 's'}, {served} of {CROWD} served"
        note = f"{reuses} refresh tokens presented twice; slowest {slowest:.1f} s"
        met = (requests, reuses, served) == (1, 0, CROWD) if ours else None
        return Row(
            f"{CROWD} processes on one expired session in a table: {what}", 0, note=note, counted=counted, met=met
        )

    rows = []
    for what, delay in (("lakekey", 0.0), (f"lakekey, the endpoint takes {SLOW:g} s", SLOW)):
        host = fleet.signed_in(fleet.postgresql.address)
        with _slow_endpoint(fleet, delay):
            end = storm(fleet, host, CROWD, 1)
        rows.append(
            row(what, end["requests"], end["reuses"], end["headers"] - end["failures"], end["slowest"], ours=True)
        )
    fleet.postgresql.sql("CREATE TABLE IF NOT EXISTS peer_tokens (name text PRIMARY KEY, body text NOT NULL)")
    fleet.postgresql.sql("GRANT SELECT, INSERT, UPDATE ON peer_tokens TO worker")
    for what, (name, delay) in PEERS.items():
        rows.append(row(what, *peer_herd(fleet, name, delay), ours=False))
    return rows


def peer_herd(fleet: Fleet, name: str, delay: float) -> tuple[int, int, int, float]:
    """Lets a peer's processes loose: token requests, reuses, how many were served, the slowest in seconds."""
    from crowd import Process
    from harness import HERE

    path, bench = os.path.join(HERE, "peers", "shared_store.py"), fleet.bench
    environ = {
        "BENCH_SESSION": json.dumps(bench.session()),
        "BENCH_POSTGRESQL": fleet.postgresql.address,
        "BENCH_REDIS": fleet.redis.address,
    }
    bench.child([path, name, "fill"], **environ)
    served, slowest = 0, 0.0
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Process(bench, [path, name, "told"], environ)) for _ in range(CROWD)]
        for process in crowd:
            process.until("ready")
        bench.box.reset_log()
        stack.enter_context(_slow_endpoint(fleet, delay))
        for process in crowd:
            process.go_on()
        for process in crowd:
            with contextlib.suppress(TimeoutError, EOFError):
                end = process.until("result", PATIENCE)
                served += end["ok"]
                slowest = max(slowest, end["seconds"])
        counters = bench.box.counters
    return counters["token.requests"], counters["reuses"], served, slowest


@contextlib.contextmanager
def _slow_endpoint(fleet: Fleet, delay: float) -> Iterator[None]:
    if delay:
        fleet.bench.box.fault("token", times=None, delay=delay)
    try:
        yield
    finally:
        fleet.bench.box.clear_faults()


def entries(fleet: Fleet) -> list[Any]:
    """Reading one entry, of 1 and of 10,000: in turns, on two servers, so that other work falls on both alike."""
    from harness import Row
    from sizes import fill

    from support.servers.postgresql import Postgresql
    from support.servers.redis import Redis

    def look(store: Any, entry_id: str) -> float:
        return statistics.median(_timed(lambda: store.read(entry_id)) for _ in range(60))

    fleet.postgresql.sql("ALTER ROLE worker SET log_statement = 'none'")  # as on the other server
    rows = []
    for name, server, another in (("PostgreSQL", fleet.postgresql, Postgresql), ("Redis", fleet.redis, Redis)):
        host = fleet.signed_in(server.address, 3000.0)
        cache = fleet.cache(host)
        [entry_id], among = cache.list(), cache.store
        fill(fleet, host, 9_999)
        with another() as empty:
            alone = empty.store()
            alone.put(entry_id, among.get(entry_id), replaces=None)
            with among.together(), alone.together():
                looks = [(look(alone, entry_id), look(among, entry_id)) for _ in range(40)]
        one, many = (min(pair[which] for pair in looks) for which in (0, 1))
        what = f"reading one of 10,000 entries in {name}"
        note = "on one connection; the quietest of 40 medians, in turns"
        rows.append(Row(what, many, "of 1", many / one, 1.15, note))
    fleet.postgresql.sql("ALTER ROLE worker SET log_statement = 'all'")
    return rows


def slow_store(fleet: Fleet) -> list[Any]:
    """A header while the token is stale, and each answer of the store takes long."""
    from harness import Row
    from stale import LEFT

    from support.servers.fault_proxy import FaultProxy

    host = fleet.signed_in(fleet.postgresql.address, LEFT)
    with FaultProxy(fleet.postgresql.port) as proxy:
        host["LAKEKEY_STORE"] = fleet.postgresql.address_at(proxy.port)
        proxy.slow(DELAY)
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stale.py")
        end = json.loads(fleet.bench.child([program, "120"], LAKEKEY_LOCK_TIMEOUT="120", **host))
    what = "the slowest header while the token is stale and each statement of the store takes over 5 s"
    note = (
        f"{DELAY:g} s a reply; of {end['calls']} calls; renewed after {end['seconds']:.0f} s; "
        f"the same loop's slowest empty call: {end['slowest empty'] * 1e3:.2f} ms"
    )
    return [Row(what, end["slowest"], "5 ms", end["slowest"] / 5e-3, 1.0, note)]


def killed(fleet: Fleet) -> list[Any]:
    """A process dies while it holds the lease; how long another takes to its header, on this host and elsewhere."""
    from harness import Row

    rows = []
    steps = (
        ("on the same host", "before anything was sent", "under the lock", KILLED, 1.0),
        ("on the same host", "a single-use token in doubt", "intent written", KILLED, 1.0),
        ("on another host", "before anything was sent", "under the lock", KILLED, 10.0 + 5.0),
        ("on another host", "a single-use token in doubt", "intent written", 1, 50.0 + 10.0),
    )
    alone = statistics.median(_next_header(fleet, "", here=True)[0] for _ in range(KILLED))
    for where, what, step, rounds, allowed in steps:
        ends = [_next_header(fleet, step, here=allowed == 1.0) for _ in range(rounds)]
        slowest, reuses = max(seconds for seconds, _ in ends), sum(number for _, number in ends)
        row = f"a header {where}, a holder killed: {what}"
        note = f"the slowest of {rounds}; {alone:.2f} s where none is killed; {reuses} refresh tokens presented twice"
        rows.append(Row(row, slowest, f"{allowed:g} s", slowest / allowed, 1.0, note))
    return rows


def _next_header(fleet: Fleet, step: str, *, here: bool) -> tuple[float, int]:
    """Seconds of a process to its header, after a holder was killed at a step, and reuses of a spent token."""
    from crowd import Process

    host = fleet.signed_in(fleet.postgresql.address)
    other = host if here else fleet.host(fleet.postgresql.address)
    if step:
        with Process(fleet.bench, ["-m", "support.programs.pauses_at", step, "main"], host) as holder:
            holder.until("at")
    fleet.bench.box.reset_log()
    patient = {**other, "LAKEKEY_INTERACTIVE": "never", "LAKEKEY_LOCK_TIMEOUT": "90"}
    with Process(fleet.bench, ["-m", "support.programs.asks_once"], patient) as following:
        end = following.until("result")
    if not end["ok"]:
        raise RuntimeError(str(end))
    return end["seconds"], fleet.bench.box.counters["reuses"]
