"""What the gateway costs: requests/s and p99 beside an empty application in the same run.

    .venv/bin/python bench/gateway/run.py [--keys 1000000] [--hot 100000] [--seconds 10]

Needs wrk (apt-get install wrk). Client and server share the machine, so the ratio is made of the
server's processor time a request. Prints one JSON document.
"""

import argparse
import http.client
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
  return "GET /v1/things HTTP/1.1\\r\\nHost: bench\\r\\nUser-Agent: wrk\\r\\n" ..
    "Accept: */*\\r\\nX-API-Key: " .. key .. "\\r\\n\\r\\n"
end
"""


class Server(NamedTuple):
    """A running server."""

    address: str
    pid: int


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
                "suspended": False,
                "change_seq": 0,
            }
            for n, name in enumerate(names[start : start + 20_000])
        ]
        with transaction(engine) as connection:
            connection.execute(insert(keys), rows)
    return KeyStore(engine)


@contextmanager
def serving(what: str, url: str, folder: Path) -> Iterator[Server]:
    command = [sys.executable, HERE / "server.py", what, url, folder / "access.log"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Server(process.stdout.readline().strip(), process.pid)
    finally:
        process.terminate()
        process.wait()


def wrk(
    server: Server, folder: Path, names: list[str], seconds: int, *, ordered: bool = False
) -> subprocess.Popen[str]:
    """Start 32 connections that send one key a request, at random or in order."""
    (folder / "keys").write_text("\n".join(names))
    script = folder / "keys.lua"
    script.write_text(RANDOM_KEYS)
    more = {"KEYS": str(folder / "keys"), "SEED": "1", "ORDERED": str(int(ordered))}
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", "-s", script, server.address]
    return subprocess.Popen(command, env={**os.environ, **more}, stdout=subprocess.PIPE, text=True)


def load(
    server: Server, folder: Path, names: list[str], seconds: int, *, ordered: bool = False
) -> dict[str, Any]:
    """Run wrk with one key a request, and return requests/s, latencies, CPU of the server."""
    before = cpu_s(server.pid)
    with wrk(server, folder, names, seconds, ordered=ordered) as process:
        said = process.communicate()[0]
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    requests = int(re.search(r"(\d+) requests in", said)[1])
    return {
        "cpu_us_per_request": round(1e6 * (cpu_s(server.pid) - before) / requests, 2),
        "requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
        "p50_ms": latency(said, 50),
        "p99_ms": latency(said, 99),
        "refused": int(refused[1]) if refused else 0,
    }


def latency(said: str, percent: int) -> float:
    number, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", said).groups()
    return round(float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit], 3)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process: it does not depend on who else is at work."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def lockout(address: str, store: KeyStore, rounds: int) -> dict[str, Any]:
    """Return ms from the commit of a revocation to the first refusal, for canary keys."""
    host, port = address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    times = []
    for _ in range(rounds):
        issued = store.create(KeyOrder(), actor="bench")
        while status(connection, issued.secret) != 200:
            pass
        store.revoke(issued.key.id, actor="bench")
        begin = time.perf_counter()
        while status(connection, issued.secret) != 401:
            pass
        times.append((time.perf_counter() - begin) * 1000)
    connection.close()
    return {
        "p50_ms": round(statistics.median(times), 1),
        "max_ms": round(max(times), 1),
        "rounds": rounds,
    }


def status(connection: http.client.HTTPConnection, secret: str) -> int:
    connection.request("GET", "/", headers={"X-API-Key": secret})
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


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    url = f"sqlite:///{folder / 'keys.db'}"
    names = secrets(options.keys)
    store = fill(url, names)
    hot = random.Random(1).sample(names, options.hot)
    result = {"keys": options.keys, "hot": options.hot, "connections": 32}
    with serving("empty", url, folder) as server:
        result["empty"] = load(server, folder, hot, options.seconds)
    with serving("gateway", url, folder) as server:
        load(server, folder, hot[:100], 1)
        before = rss(server.pid)
        result["filling"] = load(server, folder, hot, max(5, options.hot // 1500), ordered=True)
        result["bytes_per_hot_key"] = round((rss(server.pid) - before) / options.hot)
        result["gateway"] = load(server, folder, hot, options.seconds)
        unknown = secrets(1_000_000, "bad")
        held = rss(server.pid)
        result["unknown"] = load(server, folder, unknown, options.seconds, ordered=True)
        result["unknown"]["grown_mb"] = round((rss(server.pid) - held) / 1e6, 1)
        result["lockout_idle"] = lockout(server.address, store, options.rounds)
        result["lockout_under_load"] = under_load(
            server, folder, hot, lambda: lockout(server.address, store, options.rounds)
        )
    with serving("empty", url, folder) as server:
        result["empty_again"] = load(server, folder, hot, options.seconds)
    cost = {name: result[name]["cpu_us_per_request"] for name in ("empty", "empty_again")}
    result["overhead_us"] = round(result["gateway"]["cpu_us_per_request"] - min(cost.values()), 2)
    result["ratio"] = round(min(cost.values()) / result["gateway"]["cpu_us_per_request"], 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--hot", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    machine = {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }
    print(json.dumps({"machine": machine, **result}, indent=2))


main()
