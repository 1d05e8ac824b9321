"""Load on a server and what it costs: wrk, and the processor time of the processes under it."""

import http.client
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import insert

from database.schema import keys
from database.transaction import open_database, transaction
from keystore.issue import KeyOrder
from keystore.store import KeyStore

HERE = Path(__file__).parent
RANDOM_KEYS = """
local keys = {}
for line in io.lines(os.getenv("KEYS")) do keys[#keys + 1] = line end
math.randomseed(tonumber(os.getenv("SEED")))
local ordered, at = os.getenv("ORDERED") == "1", 0
request = function()
  at = at % #keys + 1
  local key = ordered and keys[at] or keys[math.random(#keys)]
  return "GET " .. os.getenv("TARGET") .. " HTTP/1.1\\r\\nHost: bench\\r\\nUser-Agent: wrk\\r\\n" ..
    "Accept: */*\\r\\nX-API-Key: " .. key .. "\\r\\n\\r\\n"
end
"""


class Server(NamedTuple):
    """A running server: its address, and the processes whose time it takes."""

    address: str
    pids: tuple[int, ...]
    path: str = "/v1/things"

    @property
    def pid(self) -> int:
        """The one that answers what is asked."""
        return self.pids[0]


def secrets(count: int, what: str = "key") -> list[str]:
    return [f"{what}{number:08d}" * 4 for number in range(count)]


def fill(url: str, names: list[str]) -> KeyStore:
    """Write keys straight into the table: what is measured is reading them."""
    engine = open_database(url)
    for start in range(0, len(names), 20_000):
        rows = [
            {
                "id": f"key_{start + n:016d}",
                "hash": sha256(name.encode()).hexdigest(),
                "prefix": "sk",
                "environment": "live",
                "publishable": False,
                "scopes": [],
                "state": "active",
                "leak_proven": False,
                "created_at": 0.0,
                # As in any hour but the first: else each key's first use is to be written down.
                "last_used_at": time.time(),
                "suspended": False,
                "change_seq": 0,
                "kind": "key",
                "networks": [],
                "endpoints": [],
                "models": [],
                "requires": [],
                "limits": [],
                "declared": {},
            }
            for n, name in enumerate(names[start : start + 20_000])
        ]
        with transaction(engine) as connection:
            connection.execute(insert(keys), rows)
    return KeyStore(engine)


@contextmanager
def serving(what: str, url: str, folder: Path, redis: str = "") -> Iterator[Server]:
    command = [sys.executable, HERE / "server.py", what, url, folder / "access.log", redis]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        path = "/verify" if what == "auth" else "/v1/things"
        yield Server(process.stdout.readline().strip(), (process.pid,), path)
    finally:
        process.terminate()
        process.wait()


def wrk(
    server: Server,
    folder: Path,
    names: Sequence[str],
    seconds: int,
    *,
    ordered: bool = False,
    connections: int = 32,
) -> subprocess.Popen[str]:
    """Start connections that send one key a request, at random or in order."""
    (folder / f"keys-{connections}").write_text("\n".join(names))
    script = folder / "keys.lua"
    script.write_text(RANDOM_KEYS)
    more = {"KEYS": str(folder / f"keys-{connections}"), "SEED": "1", "ORDERED": str(int(ordered))}
    more["TARGET"] = server.path
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        script,
        server.address,
    ]
    return subprocess.Popen(command, env={**os.environ, **more}, stdout=subprocess.PIPE, text=True)


def load(
    server: Server,
    folder: Path,
    names: Sequence[str],
    seconds: int,
    *,
    ordered: bool = False,
    connections: int = 32,
) -> dict[str, Any]:
    """Run wrk with one key a request, and return requests/s, latencies, CPU of the server."""
    before = sum(map(cpu_s, server.pids))
    with wrk(server, folder, names, seconds, ordered=ordered, connections=connections) as process:
        said = process.communicate()[0]
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    requests = int(re.search(r"(\d+) requests in", said)[1])
    return {
        "cpu_us_per_request": round(1e6 * (sum(map(cpu_s, server.pids)) - before) / requests, 2),
        "requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
        "p50_ms": latency(said, 50),
        "p99_ms": latency(said, 99),
        "refused": int(refused[1]) if refused else 0,
    }


def latency(said: str, percent: int) -> float:
    number, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", said).groups()
    return round(float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit], 3)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, of all its threads, to the nanosecond.

    /proc/PID/stat is counted in ticks, and far off on a machine that is shared.
    """
    spent = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            spent += int((thread / "schedstat").read_text().split()[0])
    return spent / 1e9


def rss(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def lockout(server: Server, store: KeyStore, rounds: int) -> dict[str, Any]:
    """Return ms from the commit of a revocation to the first refusal, for canary keys."""
    host, port = server.address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    times = []
    for _ in range(rounds):
        issued = store.create(KeyOrder(), actor="bench")
        while status(connection, server.path, issued.secret) != 200:
            pass
        store.revoke(issued.key.id, actor="bench")
        begin = time.perf_counter()
        while status(connection, server.path, issued.secret) != 401:
            pass
        times.append((time.perf_counter() - begin) * 1000)
    connection.close()
    return {
        "p50_ms": round(statistics.median(times), 1),
        "p99_ms": round(sorted(times)[int(0.99 * (len(times) - 1))], 1),
        "max_ms": round(max(times), 1),
        "rounds": rounds,
    }


def status(connection: http.client.HTTPConnection, path: str, secret: str) -> int:
    connection.request("GET", path, headers={"X-API-Key": secret})
    response = connection.getresponse()
    response.read()
    return response.status


def under_load(
    server: Server, folder: Path, names: list[str], act: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    with wrk(server, folder, names, 600) as process:
        try:
            return act()
        finally:
            process.terminate()
