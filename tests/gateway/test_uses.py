"""How much keys are used: the gateway counts it where nobody else does, and nothing twice."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from database.transaction import reading, transaction
from gateway.access import event_of, line_of
from gateway.app import Gateway
from gateway.ledger import Ledger
from gateway.options import Options
from gateway.reader import Reader
from gateway.uses import EVERY_S, WATCHED_S, Uses
from keystore import usage
from keystore.issue import KeyOrder
from keystore.keys import DAY_S
from keystore.store import KeyStore
from keystore.usage import Use
from keywatch.cli.serve import _options
from keywatch.config import load
from tests.databases import open_empty
from tests.gateway.test_app import ask, echo, scope_of, with_key

NOW = 1_760_000_000.0
HOUR = int(NOW // 3600) * 3600


@pytest.fixture
def store(database_url):
    engine = open_empty(database_url)
    yield KeyStore(engine)
    engine.dispose()


def rows(store, key_id):
    with reading(store.engine) as connection:
        return usage.of_key(connection, key_id, 0.0)


def ledger_of(store, clock=lambda: NOW, mode="always", **more):
    return Ledger(store.engine.url, clock, 60.0, 0.001, Uses(clock, mode, **more))


async def dear(scope, receive, send):
    headers = [(b"x-tokens", b"7")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def test_every_answer_counts_for_its_key_whether_it_was_let_in_or_not(store):
    issued, revoked = (store.create(KeyOrder(), actor="test") for _ in range(2))
    store.revoke(revoked.key.id, actor="test")

    async def go():
        options = Options(tokens_header="x-tokens")
        app = Gateway(dear, Reader(store.engine), options, clock=lambda: NOW)
        for key, method, client in (
            (issued, "GET", "203.0.113.7"),
            (issued, "GET", "203.0.113.9"),
            (issued, "BREW", "2001:db8::1"),
            (revoked, "GET", "203.0.113.7"),
        ):
            await ask(app, scope_of(with_key(key.secret), method=method, client=client))
        await ask(app, scope_of(with_key("nobody's")))
        await app.close()

    asyncio.run(go())
    key, ended = issued.key.id, revoked.key.id
    assert rows(store, key) == [
        Use(key, HOUR, "GET", 4, "203.0.113.0/24", 2, 14, NOW),
        Use(key, HOUR, "other", 4, "2001:db8::/48", 1, 7, NOW),
    ]
    assert rows(store, ended) == [Use(ended, HOUR, "GET", 4, "203.0.113.0/24", 1, 0, NOW)]
    with reading(store.engine) as connection:
        assert usage.heard(connection) == usage.Heard(int(NOW), int(NOW))


def test_threads_that_count_at_once_lose_nothing(store, eventually):
    ledger = ledger_of(store)

    def use(number):
        for n in range(500):
            ledger.count(NOW, f"key_{n % 5}", "GET", 200, "", 1)
        return number

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(4)))
    ledger.stop()
    counted = Counter(
        {f"key_{n}": sum(u.requests for u in rows(store, f"key_{n}")) for n in range(5)}
    )
    assert counted == {f"key_{n}": 400 for n in range(5)}


def test_what_cannot_be_written_is_kept(store, eventually, caplog):
    ledger = ledger_of(store)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE usage RENAME TO hidden")
    ledger.count(NOW, "key_a", "GET", 200, "", 0)
    eventually(lambda: "cannot be written down" in caplog.text)
    ledger.count(NOW - 1, "key_a", "GET", 200, "", 0)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO usage")
    eventually(lambda: "written down again" in caplog.text)
    ledger.stop()
    assert rows(store, "key_a") == [Use("key_a", HOUR, "GET", 2, "", 2, 0, NOW - 1)]


@pytest.mark.parametrize(("mode", "counts"), [("auto", False), ("always", True), ("never", False)])
def test_the_gateway_leaves_it_to_a_watch_that_counts(store, mode, counts):
    now = [NOW]
    ledger = ledger_of(store, lambda: now[0], mode)
    with transaction(store.engine) as connection:
        usage.record(connection, [], {}, NOW - 1)
    ledger.count(NOW, "key_a", "GET", 200, "", 0)
    ledger.stop()  # writes, and sees who counts
    assert ledger.count(NOW, "key_a", "GET", 200, "", 0) == counts
    now[0] = NOW + WATCHED_S + 1
    ledger._wake()
    ledger.stop()
    assert ledger.count(now[0], "key_a", "GET", 200, "", 0) == (mode != "never")
    ledger.stop()


def test_a_day_that_is_long_gone_is_forgotten(store):
    now = [NOW]
    ledger = ledger_of(store, lambda: now[0], kept_s=2 * DAY_S)
    for _ in range(4):
        ledger.count(now[0], "key_a", "GET", 200, "", 0)
        ledger.stop()
        now[0] += DAY_S + 1
    kept = [int((NOW + days * (DAY_S + 1)) // 3600) * 3600 for days in (2, 3)]
    assert [use.hour for use in rows(store, "key_a")] == kept


def test_more_different_uses_than_fit_in_memory_are_dropped_and_counted(monkeypatch):
    monkeypatch.setattr("gateway.uses._MOST", 4)
    uses = Uses(lambda: NOW)
    for number in range(6):
        uses.note(NOW, f"key_{number}", "GET", 200, "", 0)
    uses.note(NOW, "key_0", "GET", 200, "", 0)
    assert (uses.lost, sum(use.requests for use in uses.take())) == (2, 5)


def test_what_comes_while_all_is_written_waits_for_the_next_time(store, monkeypatch):
    monkeypatch.setattr("gateway.uses._AT_ONCE", 2)
    now = [NOW]
    uses = Uses(lambda: now[0], "always")
    for number in range(3):
        uses.note(NOW, f"key_{number}", "GET", 200, "", 0)
    said = []
    for _ in range(2):
        assert uses.due_s() == 0
        part = uses.take()
        now[0] += 5
        uses.note(now[0], "key_0", "GET", 200, "", 0)
        with transaction(store.engine) as connection:
            uses.write(connection, part)
            said.append(usage.heard(connection))
    assert not uses.is_leaving
    uses.settled()
    # Known is what was there when it was set aside, and only once all of that is written.
    assert said == [None, usage.Heard(int(NOW), int(NOW))]
    assert uses.due_s() == EVERY_S
    assert sum(use.requests for use in uses.take()) == 2


@pytest.mark.parametrize(
    ("line", "log_format"), [(line_of, "nginx-json"), (event_of, "keywatch-json")]
)
@pytest.mark.parametrize("counting", [True, False])
def test_watch_counts_what_the_gateway_did_not(
    place, capsys, monkeypatch, line, log_format, counting
):
    issued = place.issue()
    lines = []

    async def go():
        options = Options(count_uses="always" if counting else "never")
        sink = lambda access: lines.append(line(access))  # noqa: E731
        app = Gateway(echo, Reader(place.store.engine), options, sink=sink)
        agent = (b"user-agent", b'","counted":true')
        for more in ((), (agent,)):
            await ask(app, scope_of(with_key(issued.secret), *more))
        await app.close()

    asyncio.run(go())
    assert [b'"counted":true' in one for one in lines] == [counting] * 2
    assert bool(rows(place.store, issued.key.id)) == counting
    place.log.write_bytes(b"\n".join([*lines, b""]))
    said = place.say("watch", "--access-log", str(place.log), "--format", log_format, "--once")
    assert said.returncode == 0, said.stderr
    assert sum(use.requests for use in rows(place.store, issued.key.id)) == 2


@pytest.mark.parametrize(
    ("config", "counts"),
    [
        ("", "auto"),
        ('events = "e.log"\n', "never"),
        ('events = "e.log"\ncount_uses = "always"\n', "always"),
        ('[[sources]]\npath = "a.log"\n', "never"),
        ('[[sources]]\ntype = "kafka"\nevents = "repository"\n', "auto"),
    ],
)
def test_where_logs_are_configured_watch_counts(tmp_path, config, counts):
    path = tmp_path / "k.toml"
    path.write_text("[gateway]\n" + config)
    assert _options(load(str(path), environ={}).settings, ()).count_uses == counts
