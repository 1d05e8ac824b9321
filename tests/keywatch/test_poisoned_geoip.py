"""A poisoned GeoIP database, or a wrong clock: few keys are struck, and all come back."""

import json
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from actions.policy import load
from database.schema import alerts, keys, outbox
from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.cli import run
from tests.detectors.mmdb import write
from tests.detectors.test_geoip import asn, city
from tests.keywatch.traffic import line

KEYS, DAYS, A_DAY = 40, 17, 5
CONFIG = """
database = "sqlite:///keywatch.db"
[geoip]
city = "city.mmdb"
asn = "asn.mmdb"
[[sources]]
path = "access.log"
format = "nginx-json"
[actions]
enabled = ["throttle", "revoke"]
"""
GUARDS = load().guards


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keywatch.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def engine(folder):
    engine = open_database("sqlite:///keywatch.db")
    yield engine
    engine.dispose()


@pytest.fixture
def fleet(engine):
    """Keys that were made long ago."""
    then = time.time() - 60 * 86_400
    store = KeyStore(engine, clock=lambda: then)
    order = KeyOrder(owner="ann", key_class="human", life_s=90 * 86_400.0)
    return [one.key.id for one in store.create_many([order] * KEYS, actor="test")]


def databases(country, number, operator):
    """Write what says of each key's network, a /16, where it is; the last bits are the key's."""
    networks = [f"81.{which}.0.0/16" for which in range(KEYS)]
    write(Path("city.mmdb"), "GeoLite2-City", dict.fromkeys(networks, city(country)))
    write(Path("asn.mmdb"), "GeoLite2-ASN", dict.fromkeys(networks, asn(number, operator)))


def weeks(fleet, end):
    """Weeks of office hours, each key on its own line."""
    rng = random.Random(6)
    for day in range(DAYS, 0, -1):
        for which, key in enumerate(fleet):
            for _ in range(A_DAY):
                at = end - timedelta(days=day, seconds=rng.uniform(0, 7 * 3600))
                yield at, line(at, key, f"81.{which}.1.7", f"/v1/orders/{rng.randrange(30)}")


def release(fleet, end):
    """A new version of the client, which everybody takes on the day their addresses change."""
    for which, key in enumerate(fleet):
        for n in range(20):
            at = end - timedelta(seconds=500 - 20 * n + which)
            path = f"/v{2 + n % 9}/search"
            yield at, line(at, key, f"81.{which}.200.9", path, "shop-app/4.0 (new)")


def append(lines):
    with Path("access.log").open("a") as log:
        log.writelines(f"{text}\n" for _, text in sorted(lines))


def found(engine, query):
    with reading(engine) as connection:
        return connection.execute(query).all()


def struck(engine):
    """Return the keys about which there was critical evidence."""
    rows = found(engine, select(alerts.c.subject).where(alerts.c.severity == "critical"))
    return {row.subject for row in rows}


def touched(engine):
    """Return the keys that do not work as before."""
    hit = (keys.c.state != "active") | keys.c.throttle_per_min.is_not(None)
    return {row.id for row in found(engine, select(keys.c.id).where(hit))}


def lived(fleet, end, poison, wrong_by=timedelta()):
    databases("DE", 64500, "Example Telecom")
    append(weeks(fleet, end))
    assert run(["watch", "--once"]) == 0
    if poison:
        databases("RU", 14061, "DIGITALOCEAN-ASN")
    append(release(fleet, end + wrong_by))
    assert run(["watch", "--once"]) == 0


def restored(engine, capsys):
    """Take everything of the last hour back by one command."""
    capsys.readouterr()
    assert run(["actions", "undo", "--since", "1h", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert all(one["changed"] for one in said)
    assert touched(engine) == set()


def test_fewer_than_the_cap_are_touched_and_one_command_restores_all(engine, fleet, capsys):
    end = datetime.now(UTC) - timedelta(minutes=5)
    lived(fleet, end, poison=True)
    # Without the brakes all of these would have been cut off.
    assert len(struck(engine)) > KEYS // 2
    assert 0 < len(touched(engine)) <= GUARDS.breaker_keys < GUARDS.revocations_per_hour
    held = select(outbox).where(outbox.c.lane == "effect", outbox.c.state == "held")
    assert all("breaker" in row.error for row in found(engine, held))
    assert all(
        "GET /v1/orders/#" in row.arguments["blast"]["called"] for row in found(engine, held)
    )
    told = select(outbox.c.lane).where(outbox.c.lane == "notify:security")
    assert found(engine, told)
    restored(engine, capsys)
    assert found(engine, held) == []


@pytest.mark.parametrize("hours", [-9, 9, 240])
def test_a_wrong_clock_touches_fewer_than_the_cap(engine, fleet, capsys, hours):
    """The server that writes the log is off: everybody comes at night, or out of the future."""
    end = datetime.now(UTC) - timedelta(minutes=5)
    lived(fleet, end, poison=False, wrong_by=timedelta(hours=hours))
    assert len(touched(engine)) <= GUARDS.breaker_keys
    restored(engine, capsys)


def test_the_same_day_with_a_true_database_strikes_nobody(engine, fleet):
    lived(fleet, datetime.now(UTC) - timedelta(minutes=5), poison=False)
    assert struck(engine) == set()
