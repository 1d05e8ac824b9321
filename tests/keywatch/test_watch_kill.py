"""kill -9 of `keywatch watch` at random moments: nothing lost, nothing done twice.

The same lines come from a file, are posted, or are read from a topic.
"""

import gzip
import http.client
import json
import os
import random
import select as readiness
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from database.schema import alerts, keys, outbox
from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.demo import traffic
from keywatch.status import status

KILLS = int(os.environ.get("WATCH_KILLS", "7"))
"""Of each way: 21 where the suite runs; bench/pipeline/kill.py has 200."""
END = datetime(2026, 3, 18, 14, 0, tzinfo=UTC)
PATIENCE_S = 300.0
BATCH = 400
TOKEN = "of a test"

CONFIG = """
database = "sqlite:///{folder}/keywatch.db"
[watch]
chunk_lines = 400
[[sources]]
{source}
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
    lines = [one for n, one in enumerate(lines) if n % 5 == 0 or person.encode() in one]
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


class Nest:
    """The process that forks watches, one at a time."""

    def __init__(self, folder):
        self.log = folder / "watch.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("watch_process.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.child = 0

    def hatch(self, config, *words):
        line = json.dumps(["--config", str(config), "watch", *words])
        self.process.stdin.write(line.encode() + b"\n")
        self.child = int(self.process.stdout.readline())

    def ended(self, within_s=PATIENCE_S):
        """Return the exit code of the watch; None when it still runs."""
        ready, _, _ = readiness.select([self.process.stdout], [], [], within_s)
        return int(self.process.stdout.readline()) if ready else None

    def end(self, number=signal.SIGKILL):
        os.kill(self.child, number)
        return self.ended()

    def said(self):
        return self.log.read_text()[-3000:]

    def close(self):
        self.process.stdin.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def nest(tmp_path_factory):
    one = Nest(tmp_path_factory.mktemp("nest"))
    yield one
    one.close()


def lines_of(prepared):
    return (prepared / "access.log").read_bytes().rstrip(b"\n").split(b"\n")


def home(prepared, folder, source):
    """Make a folder with keys and a configuration, and return the configuration."""
    folder.mkdir()
    shutil.copy(prepared / "keywatch.db", folder / "keywatch.db")
    config = folder / "keywatch.toml"
    config.write_text(CONFIG.format(folder=folder, source=source))
    return config


@pytest.fixture(scope="module")
def calm(prepared, nest, tmp_path_factory):
    """What one undisturbed process makes of the file, and how long that takes it."""
    source = f'path = "{prepared}/access.log"'
    config = home(prepared, tmp_path_factory.mktemp("calm") / "home", source)
    begun = time.monotonic()
    nest.hatch(config, "--once")
    assert nest.ended() == 0, nest.said()
    took_s = time.monotonic() - begun
    expected = truth(config.parent)
    assert expected["events"]["dead"] == 40
    assert expected["waiting"] == 0
    assert {state for _, state, _ in expected["keys"]} == {"active", "revoked"}
    return expected, took_s


def storms(prepared, folder, source, lived):
    """Have watches killed until there were enough; yield each folder when all of it was read.

    Args:
        prepared: folder of keys and lines.
        folder: for the folders.
        source: of the configuration.
        lived: is given a configuration and how many kills are left; returns how many there were.
    """
    left, number = KILLS, 0
    while left > 0:
        number += 1
        config = home(prepared, folder / f"storm{number}", source)
        left -= lived(config, left)
        yield config.parent


def read_once(nest, moments):
    """Return what kills watches that read what there is and end, until one comes to its end."""

    def lived(config, left):
        for kills in range(left):
            nest.hatch(config, "--once")
            if (code := nest.ended(next(moments))) is not None:
                assert code == 0, nest.said()
                return kills
            nest.end()
        nest.hatch(config, "--once")
        assert nest.ended() == 0, nest.said()
        return left

    return lived


def moments_within(took_s):
    chance = random.Random(11)
    while True:
        yield chance.uniform(0.0, took_s / 3)


def test_killed_at_random_moments_a_file_is_read_once(prepared, calm, nest, tmp_path):
    expected, took_s = calm
    source = f'path = "{prepared}/access.log"'
    lived = read_once(nest, moments_within(took_s))
    for folder in storms(prepared, tmp_path, source, lived):
        assert truth(folder) == expected


def append(log, content):
    with log.open("ab") as file:
        file.write(content)


def rotate(log, *, copied):
    """Put the log's lines aside as logrotate does, by renaming it or by `copytruncate`."""
    older = sorted(log.parent.glob("access.log.*"), key=lambda one: -int(one.suffix[1:]))
    for one in older:
        one.rename(one.with_suffix(f".{int(one.suffix[1:]) + 1}"))
    if copied:
        shutil.copy(log, f"{log}.1")
        log.write_bytes(b"")
    else:
        log.rename(f"{log}.1")


@pytest.mark.parametrize("packed", [False, True], ids=["text", "gzip"])
def test_killed_at_random_moments_a_file_that_is_rotated_meanwhile_is_read_once(
    prepared, calm, nest, tmp_path, packed
):
    """Of a packed one the last member is half there whenever a watch is killed."""
    expected, took_s = calm
    log, lines, moments = tmp_path / "access.log", lines_of(prepared), moments_within(took_s)
    stored = gzip.compress if packed else bytes
    config = home(prepared, tmp_path / "home", f'path = "{log}"')
    engine = open_database(f"sqlite:///{config.parent}/keywatch.db")
    size = len(lines) // KILLS + 1
    for number, at in enumerate(range(0, len(lines), size)):
        if number:
            rotate(log, copied=number % 2 == 0)
        content = stored(b"\n".join([*lines[at : at + size], b""]))
        half = len(content) // 2 if packed else len(content)
        append(log, content[:half])
        nest.hatch(config)
        until(lambda: status(engine)["sources"])  # from then on it is known where it began
        assert nest.ended(next(moments)) is None, nest.said()
        nest.end()
        append(log, content[half:])
    engine.dispose()
    nest.hatch(config, "--once")
    assert nest.ended() == 0, nest.said()
    assert truth(config.parent) == expected


@pytest.mark.service
@pytest.mark.usefixtures("kafka_closes_sockets")
def test_killed_at_random_moments_a_topic_is_read_once(
    prepared, calm, nest, tmp_path, kafka_broker
):
    kafka = pytest.importorskip("kafka")
    admin = pytest.importorskip("kafka.admin")
    client = admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    client.create_topics([admin.NewTopic("killed", 1, 1)])
    client.close()
    producer = kafka.KafkaProducer(bootstrap_servers=kafka_broker, acks="all")
    for one in lines_of(prepared):
        producer.send("killed", one)
    producer.close()
    expected, took_s = calm
    source = f'type = "kafka"\ntopic = "killed"\nbrokers = ["{kafka_broker}"]'
    lived = read_once(nest, moments_within(took_s))
    for folder in storms(prepared, tmp_path, source, lived):
        assert truth(folder) == expected


class Sender(threading.Thread):
    """Posts lines, a batch after the other; each again until it is known to be committed."""

    def __init__(self, port, lines):
        super().__init__(daemon=True)
        self.port = port
        self.batches = [lines[at : at + BATCH] for at in range(0, len(lines), BATCH)]
        self.refused = []

    def run(self):
        for number, batch in enumerate(self.batches):
            while not self.refused and not self.committed(number, b"\n".join(batch)):
                threading.Event().wait(0.005)

    def committed(self, number, body):
        headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": f"batch-{number}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/events", body, headers)
            code = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False  # killed
        finally:
            connection.close()
        if code not in {200, 429, 503}:
            self.refused.append(code)
        return code == 200


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE_S).close()
    except OSError:
        return False
    return True


def test_killed_at_random_moments_what_is_posted_counts_once(prepared, calm, nest, tmp_path):
    expected, took_s = calm
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    lines = lines_of(prepared)
    moments = moments_within(took_s)

    def lived(config, left):
        sender, kills = Sender(port, lines), 0
        sender.start()
        while sender.is_alive() and kills < left:
            nest.hatch(config)
            assert nest.ended(next(moments)) is None, nest.said()
            nest.end()
            kills += 1
        nest.hatch(config)
        engine = open_database(f"sqlite:///{config.parent}/keywatch.db")
        until(lambda: not sender.is_alive() and not status(engine)["outbox"]["waiting"])
        engine.dispose()
        until(lambda: listens(port))  # nothing may be left to do before it hears signals
        assert nest.end(signal.SIGTERM) == 0, nest.said()
        assert not sender.refused
        return kills

    source = f'type = "http"\nlisten = "127.0.0.1:{port}"\ntokens = ["{TOKEN}"]'
    for folder in storms(prepared, tmp_path, source, lived):
        assert truth(folder) == expected


def until(holds):
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.02)
