"""kill -9 of `keywatch watch` at random moments: nothing lost, nothing done twice."""

import os
import random
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import select

from database.schema import alerts, keys, outbox
from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.demo import traffic
from keywatch.status import status

KILLS = int(os.environ.get("WATCH_KILLS", "20"))
END = datetime(2026, 3, 18, 14, 0, tzinfo=UTC)

CONFIG = """
database = "sqlite:///{folder}/keywatch.db"
[watch]
chunk_lines = 400
[[sources]]
path = "{log}"
format = "nginx-json"
[actions]
enabled = ["throttle", "revoke"]
"""


def line(at, key, host, agent, serial):
    path = f"GET /v1/export/{serial} HTTP/1.1"
    stamp = at.isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        traffic.Line(stamp, host, path, 200, 900, agent, f"a{serial:031x}", key)
    )


def attacked(service, person):
    """Weeks of ordinary traffic, broken lines, a burst of one key and a theft of the other."""
    lines = list(traffic.ordinary(service, person, END))
    chance = random.Random(3)
    for _ in range(40):
        lines.insert(chance.randrange(len(lines)), b'{"broken": ' + bytes([chance.randrange(256)]))
    for n in range(900):
        at = END + timedelta(milliseconds=300 * n)
        host = traffic.SERVICE_HOSTS[n % 3]
        lines.append(line(at, service, host, traffic.SERVICE_AGENT, n))
        lines.append(line(at, person, traffic.THIEF_HOST, traffic.THIEF_AGENT, n + 10_000))
    return b"\n".join([*lines, b""]).replace(b"\n\n", b"\n")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    engine = open_database(f"sqlite:///{folder}/keywatch.db")
    store = KeyStore(engine, clock=lambda: END.timestamp() - 90 * 86400)
    orders = (
        KeyOrder(owner="ops", key_class="service"),
        KeyOrder(owner="maria", key_class="human"),
    )
    ids = [issued.key.id for issued in store.create_many(orders, actor="test")]
    with engine.begin() as connection:
        connection.execute(keys.update().values(expires_at=None))
    engine.dispose()
    (folder / "access.log").write_bytes(attacked(*ids))
    return folder


def home(prepared, folder):
    folder.mkdir()
    shutil.copy(prepared / "keywatch.db", folder / "keywatch.db")
    config = folder / "keywatch.toml"
    config.write_text(CONFIG.format(folder=folder, log=prepared / "access.log"))
    return config


def watch(config):
    command = [sys.executable, "-m", "keywatch", "--config", str(config), "watch", "--once"]
    with (config.parent / "watch.log").open("ab") as log:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)


def ended_well(process, config):
    assert process.wait(600) == 0, (config.parent / "watch.log").read_text()[-3000:]


def truth(folder):
    """All that must not depend on when the process was killed."""
    engine = open_database(f"sqlite:///{folder}/keywatch.db")
    with reading(engine) as connection:
        raised = connection.execute(select(alerts.c.id, alerts.c.body)).all()
        effects = connection.execute(
            select(outbox.c.idempotency_key, outbox.c.effect, outbox.c.state)
        ).all()
        state = connection.execute(select(keys.c.id, keys.c.state, keys.c.throttle_per_min)).all()
    figures = status(engine)
    engine.dispose()
    return {
        "alerts": sorted((row.id, str(row.body)) for row in raised),
        "effects": sorted(map(tuple, effects)),
        "keys": sorted(map(tuple, state), key=str),
        "events": figures["events"],
        "waiting": figures["outbox"]["waiting"],
    }


def test_kills_at_random_moments_change_nothing(prepared, tmp_path):
    calm = home(prepared, tmp_path / "calm")
    ended_well(watch(calm), calm)
    expected = truth(calm.parent)
    assert expected["events"]["dead"] == 40
    assert expected["waiting"] == 0
    assert {state for _, state, _ in expected["keys"]} == {"active", "revoked"}

    chance = random.Random(11)
    killed = storms = 0
    while killed < KILLS:
        storms += 1
        stormy = home(prepared, tmp_path / f"storm{storms}")
        while (process := watch(stormy)) and killed < KILLS:
            try:
                process.wait(chance.uniform(0.5, 3.0))
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
        ended_well(watch(stormy) if process.wait() else process, stormy)
        assert truth(stormy.parent) == expected
