"""A small fleet under attack, and what a pipeline made of it: to compare several ways."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import select

from database.schema import alerts, dead_letters, keys, outbox
from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.cli import run
from keywatch.demo import traffic
from keywatch.status import status

END = datetime(2026, 3, 18, 14, 0, tzinfo=UTC)
PATIENCE_S = 900.0
HEAD = """
database = "{database}"
[actions]
enabled = ["throttle", "revoke"]
"""
CALM = """
[[sources]]
path = "{folder}/access.log"
format = "nginx-json"
"""


def line(at, key, host, agent, serial, status=200):
    path = f"GET /v1/export/{serial} HTTP/1.1"
    stamp = at.isoformat(timespec="milliseconds")
    told = traffic.Line(stamp, host, path, status, 900, agent, f"a{serial:031x}", key)
    return msgspec.json.encode(told)


def attacked(service, person):
    """Ordinary traffic, then a burst, a theft, and an address that tries many keys."""
    usual = enumerate(traffic.ordinary(service, person, END))
    lines = [(key_of(one), one) for n, one in usual if n % 5 == 0 or person.encode() in one]
    for n in range(600):
        at = END + timedelta(milliseconds=300 * n)
        lines.append((service, line(at, service, "192.0.2.9", traffic.SERVICE_AGENT, n)))
        lines.append((person, line(at, person, traffic.THIEF_HOST, traffic.THIEF_AGENT, n)))
    at = END + timedelta(minutes=30)
    tried = [f"key_{n}" for n in range(12)]
    lines += [(key, line(at, key, "198.51.100.9", "x", n, 401)) for n, key in enumerate(tried)]
    lines[50:50] = [("", b"broken"), ("", b'{"half": ')]
    return lines


def key_of(one):
    return msgspec.json.decode(one)["api_key_id"]


def prepared(url):
    """Make a database with two keys; return their ids."""
    engine = open_database(url)
    store = KeyStore(engine, clock=lambda: END.timestamp() - 90 * 86400)
    orders = (KeyOrder(owner="ops", key_class="service"), KeyOrder(owner="maria"))
    ids = [issued.key.id for issued in store.create_many(orders, actor="test")]
    with engine.begin() as connection:
        connection.execute(keys.update().values(expires_at=None))
    engine.dispose()
    return ids


def moved(url, source):
    """Give the keys of one database to another."""
    there, here = open_database(source), open_database(url)
    with reading(there) as old, here.begin() as new:
        new.execute(keys.insert(), [dict(row) for row in old.execute(select(keys)).mappings()])
    KeyStore(here).create(KeyOrder(), actor="test")  # a change, which tells readers of them
    for engine in (there, here):
        engine.dispose()


def watch(folder, name, *words):
    command = [sys.executable, "-m", "keywatch", "--config", f"{folder}/{name}.toml", "watch"]
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen([*command, *words], stdout=subprocess.DEVNULL, stderr=log)


def until(holds, what, processes=()):
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        assert all(one.poll() is None for one in processes), what
        time.sleep(0.05)


def truth(url):
    engine = open_database(url)
    with reading(engine) as connection:
        raised = connection.execute(select(alerts.c.body)).scalars().all()
        done = connection.execute(select(outbox.c.idempotency_key, outbox.c.effect)).all()
        letters = connection.execute(select(dead_letters.c.reason)).scalars().all()
    events = status(engine)["events"]
    engine.dispose()
    decided = {"action", "dry_run"}
    seen = [{k: v for k, v in body.items() if k not in decided} for body in raised]
    return {
        "alerts": sorted(map(msgspec.json.encode, seen)),
        "effects": sorted(map(tuple, done)),
        "letters": sorted(letters),
        "events": events["committed"],
    }


@contextmanager
def handlers_kept():
    """Give signals back to whom they belonged to."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def calm_run(folder, url):
    """Read the lines of access.log in this process; return what came of it."""
    config = HEAD.format(database=url) + CALM.format(folder=folder)
    (folder / "calm.toml").write_text(config)
    with handlers_kept():
        assert run(["--config", f"{folder}/calm.toml", "watch", "--once"]) == 0
    found = truth(url)
    kinds = {msgspec.json.decode(one)["kind"] for one in found["alerts"]}
    assert "stuffing" in kinds
    assert len(kinds) > 1
    return found
