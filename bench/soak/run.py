"""An hour of mixed load with faults: nothing lost, nothing twice, and memory that stays flat.

    python bench/soak/run.py [--minutes 60] [--rate 1000] [--pause 5] [--killed 0.4]

Starts `keywatch watch` and `keywatch serve` on a new SQLite file as processes of their own. A log is
written and turned over, batches are posted (some twice), the gateway is asked with a key that works and
with keys that ought not to, and every few seconds a key stands in the log in clear and is revoked. Now
and then a process is killed, somebody holds the database's write lock, or the receiver of webhooks is
away or takes a message without saying so. After two fifths of the time nothing is killed any more, so
that memory can be followed. In the end everything must have been counted once: ends with 1 otherwise.
"""

import argparse
import base64
import secrets
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))
from faults import Faults, Part, Receiver
from live import unbraked
from load import Load
from sqlalchemy import func, select

from database.schema import alerts, keys, outbox
from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.status import status

CONFIG = """
database = "sqlite:///{folder}/keywatch.db"
[[sources]]
path = "{folder}/access.log"
format = "nginx-json"
[[sources]]
type = "http"
listen = "127.0.0.1:{intake}"
tokens = ["of a soak"]
[actions]
enabled = ["revoke"]
policy = "{folder}/policy.toml"
[[notify]]
name = "security"
type = "webhook"
url = "{hook}"
secret = "whsec_{secret}"
"""
ORDINARY, EXPOSED_EVERY_S, SAMPLE_S = 200, 5.0, 5.0
KILLED_SHARE, DRAIN_S, GROWTH = 0.4, 180.0, 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=1000, help="lines a second")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two faults")
    parser.add_argument(
        "--killed", type=float, default=KILLED_SHARE, help="share of time with kills"
    )
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pace = (wanted.rate, wanted.pause, wanted.killed)
        return soak(Path(folder), wanted.minutes * 60, *pace)


def soak(folder: Path, duration_s: float, rate: int, pause_s: float, killed: float) -> int:
    """Go through it once, and print what came of it."""
    receiver, (gateway, intake) = Receiver(), free_ports(2)
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    text = CONFIG.format(folder=folder, intake=intake, hook=receiver.url, secret=secret)
    (folder / "keywatch.toml").write_text(text)
    (folder / "policy.toml").write_text(unbraked("exposed-in-log", "security"))
    (folder / "access.log").touch()
    engine = open_database(f"sqlite:///{folder}/keywatch.db")
    store = KeyStore(engine)
    ordinary = store.create_many([KeyOrder(owner="ann")] * ORDINARY, actor="soak")
    number = int(duration_s / EXPOSED_EVERY_S) + 1
    doomed = store.create_many([KeyOrder(owner="bob")] * number, actor="soak")
    watch = Part(folder, "watch")
    serve = Part(folder, "serve", "--port", str(gateway))
    load = Load(
        folder,
        [one.key.id for one in ordinary],
        ordinary[0].secret,
        {one.secret: one.key.id for one in doomed},
        (gateway, intake),
        (rate, EXPOSED_EVERY_S),
    )
    faults = Faults(folder / "keywatch.db", [watch, serve], receiver, load.turn_over, pause_s)
    began = time.monotonic()
    load.start()
    begun(engine)
    faults.start()
    samples: list[tuple[float, float]] = []
    try:
        while (since := time.monotonic() - began) < duration_s:
            if faults.kills and since > killed * duration_s:
                faults.kills = False
            time.sleep(SAMPLE_S)
            if not faults.kills:
                samples.append((watch.resident_mib(), serve.resident_mib()))
        faults.stop()
        load.stop()
        drained = settled(engine, load, len(load.counted.exposed))
    finally:
        codes = [part.end() for part in (watch, serve)]
    failed = report(engine, load, faults, receiver, samples)
    print(f"everything was worked off after {drained:.0f} s; ended with {codes}")
    engine.dispose()
    return int(failed or any(codes))


def free_ports(number: int) -> list[int]:
    """Return ports that nobody listens on."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in taken]
    for one in taken:
        one.close()
    return ports


def begun(engine) -> None:  # noqa: ANN001
    """Wait until something was read: a log that was put aside before the first commit is none of ours."""
    end = time.monotonic() + DRAIN_S
    while not status(engine)["events"]["read"]:
        if time.monotonic() > end:
            sys.exit("the log is not being read")
        time.sleep(0.2)


def settled(engine, load: Load, exposed: int) -> float:  # noqa: ANN001
    """Wait until all was read and told; return the seconds that it took."""
    began, counted = time.monotonic(), load.counted
    while time.monotonic() - began < DRAIN_S:
        figures = status(engine)
        read = figures["events"]["read"] == counted.logged + counted.posted
        if read and figures["outbox"]["done"] >= 2 * exposed and not figures["outbox"]["waiting"]:
            break
        time.sleep(1.0)
    return time.monotonic() - began


def report(engine, load: Load, faults: Faults, receiver: Receiver, samples) -> bool:  # noqa: ANN001
    """Print every count beside what it ought to be; return whether one is wrong."""
    counted, events = load.counted, status(engine)["events"]
    with reading(engine) as connection:
        revoked = connection.scalar(select(func.count()).where(keys.c.state == "revoked"))
        told = connection.scalar(select(func.count()).where(alerts.c.kind == "exposed-in-log"))
        sent = set(
            connection.execute(
                select(outbox.c.idempotency_key).where(outbox.c.lane == "notify:security")
            ).scalars()
        )
        undone = connection.scalar(
            select(func.count()).where(outbox.c.state.not_in(("done", "dry_run")))
        )
    exposed = len(counted.exposed)
    rows = [
        ("lines and events read", events["read"], counted.logged + counted.posted),
        ("broken lines kept aside", events["dead"], counted.broken),
        ("exposed keys told of", told, exposed),
        ("keys revoked", revoked, exposed),
        ("messages that arrived", len(sent & receiver.taken.keys()), len(sent)),
        ("messages nobody wrote", len(receiver.taken.keys() - sent), 0),
        ("effects and messages left", undone, 0),
        ("wrong answers of the gateway", len(counted.wrong), 0),
    ]
    if counted.wrong:
        print(f"the gateway said {dict(Counter(counted.wrong))}")
    print("| what | is | ought to be |\n|---|---|---|")
    for name, is_, ought in rows:
        print(f"| {name} | {is_} | {ought} |")
    twice = sum(number - 1 for number in receiver.taken.values())
    print(f"\nfaults: {', '.join(f'{n} {name}' for name, n in faults.done.items())}")
    print(
        f"batches posted twice {counted.repeated}, messages sent again under their id {twice}, ",
        end="",
    )
    print(f"refused {receiver.refused}; the gateway was asked {counted.asked} times", end="")
    print(f", {counted.unanswered} of them while it was being started again")
    late = sorted(counted.locked_out_s)
    print(
        f"from its line to its revocation a key had {median(late):.1f} s in the middle, "
        f"{late[-1]:.0f} s at most: watch is killed, or waits for a lock"
    )
    return flatness(samples) | any(is_ != ought for _, is_, ought in rows)


def flatness(samples: list[tuple[float, float]]) -> bool:
    """Print the memory of the second quarter and of the last one; return whether it grew."""
    quarter = len(samples) // 4
    if not quarter:
        print("too short to say anything of memory")
        return False
    grew = False
    for name, values in zip(("watch", "serve"), zip(*samples, strict=True), strict=True):
        before, after = median(values[quarter : 2 * quarter]), median(values[-quarter:])
        grew |= after > before * (1 + GROWTH)
        print(f"memory of {name}: {before:.0f} MiB, and {after:.0f} MiB at the end")
    return grew


if __name__ == "__main__":
    sys.exit(main())
