"""From a log line to the gateway's refusal: how long a key goes on working once it is seen.

    python bench/actions/latency.py [--keys 60] [--rate 2000] [--database URL]

Starts `keywatch watch` on a log and `keywatch serve` as processes of their own, writes ordinary
traffic at the given rate, and every now and then a line with a key in clear, which the policy of
this bench revokes. The time runs from just before the line is written until the gateway answers
401; it is asked every two milliseconds. Prints the percentiles, how many lines were written and read,
and the CPU seconds of both processes: where fewer lines are read than written, other programs had the
processors, or the rate is more than they can take, and the times are those of a queue.
"""

import argparse
import http.client
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from live import line, unbraked

from database.transaction import open_database
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.status import status

CONFIG = """
database = "{database}"
[[sources]]
path = "{folder}/access.log"
format = "nginx-json"
[actions]
enabled = ["revoke"]
policy = "{folder}/policy.toml"
"""
PATIENCE_S = 120.0
STEP_S = 0.002


class Traffic(threading.Thread):
    """Writes ordinary lines of some keys, so many a second."""

    def __init__(self, log: Path, key_ids: list[str], rate: int) -> None:
        super().__init__(daemon=True)
        self.log, self.key_ids, self.rate = log, key_ids, rate
        self.stopped = threading.Event()
        self.written = 0

    def run(self) -> None:
        """Write until it is told to stop."""
        step_s = 0.05
        each = max(1, round(self.rate * step_s))
        with self.log.open("ab", buffering=0) as file:
            due = time.monotonic()
            while not self.stopped.is_set():
                keys = [self.key_ids[i % len(self.key_ids)] for i in range(each)]
                file.write(b"".join(line(key, "/v1/orders", "91.10.24.11") for key in keys))
                self.written += each
                due += step_s
                self.stopped.wait(max(0.0, due - time.monotonic()))


def refused_after(address: str, secret: str, began: float) -> float:
    """Ask the gateway until it refuses; return the seconds since `began`."""
    where = urlsplit(f"http://{address.removeprefix('http://')}")
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=5)
    while True:
        connection.request("GET", "/verify", headers={"Authorization": f"Bearer {secret}"})
        answer = connection.getresponse()
        answer.read()
        taken = time.perf_counter() - began
        if answer.status == http.client.UNAUTHORIZED:
            return taken
        if taken > PATIENCE_S:
            sys.exit(f"the gateway still answers {answer.status} after {taken:.0f} s")
        time.sleep(STEP_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--database", help="URL; a new SQLite file by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(arguments, Path(folder))


def measure(arguments: argparse.Namespace, folder: Path) -> None:
    url = arguments.database or f"sqlite:///{folder}/keywatch.db"
    (folder / "policy.toml").write_text(unbraked("exposed-in-log"))
    (folder / "keywatch.toml").write_text(CONFIG.format(database=url, folder=folder))
    log = folder / "access.log"
    log.touch()
    engine = open_database(url)
    store = KeyStore(engine)
    ordinary = [store.create(KeyOrder(), actor="bench").key.id for _ in range(50)]
    exposed = [store.create(KeyOrder(), actor="bench") for _ in range(arguments.keys)]
    command = [sys.executable, "-m", "keywatch", "--config", str(folder / "keywatch.toml")]
    serve = subprocess.Popen(
        [*command, "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    watch = subprocess.Popen([*command, "watch"], **quiet)
    traffic = Traffic(log, ordinary, arguments.rate)
    try:
        address = address_of(serve)
        traffic.start()
        began = time.monotonic()
        wait_until_read(engine)
        took = [one(log, address, issued) for issued in exposed]
        traffic.stopped.set()
        read, wall_s = status(engine)["events"]["read"], time.monotonic() - began
    finally:
        traffic.stopped.set()
        for process in (watch, serve):
            process.terminate()
            process.wait()
        engine.dispose()
    ms = np.array(took) * 1000
    p50, p90, p99 = np.percentile(ms, [50, 90, 99])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime
    print(f"{len(ms)} keys at {arguments.rate} lines/s: from the line to 401")
    print(f"{traffic.written} lines written, {read} read in {wall_s:.0f} s, {cpu_s:.0f} CPU s")
    print(f"p50 {p50:.0f} ms, p90 {p90:.0f} ms, p99 {p99:.0f} ms, longest {ms.max():.0f} ms")


def address_of(serve: "subprocess.Popen[str]") -> str:
    assert serve.stdout is not None
    for said in serve.stdout:
        words = [word for word in said.split() if "127.0.0.1:" in word]
        if words:
            return words[0].rstrip(".,/").removeprefix("http://")
    sys.exit("the gateway did not start")


def wait_until_read(engine: object) -> None:
    end = time.monotonic() + PATIENCE_S
    while not status(engine)["events"]["read"]:
        if time.monotonic() > end:
            sys.exit("the log is not being read")
        time.sleep(0.05)


def one(log: Path, address: str, issued: object) -> float:
    """Expose a key in the log; return the seconds until the gateway refuses it."""
    began = time.perf_counter()
    with log.open("ab", buffering=0) as file:
        file.write(line("", f"/v1/orders?api_key={issued.secret}", "91.10.24.12"))
    return refused_after(address, issued.secret, began)


main()
