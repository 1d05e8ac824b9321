"""Workers that write to one database wait for one another, and never for ever."""

from concurrent.futures import ThreadPoolExecutor
from time import time

import pytest
from sqlalchemy import text

from database import counters
from database.transaction import in_commit_order, reading, transaction
from detectors.watcher import Watcher
from keystore.meter import Meter
from keywatch.config import Settings
from keywatch.keybook import KeyBook
from keywatch.pipeline import Pipeline
from keywatch.wiring import geo
from streams import formats
from streams.chunk import Chunk
from tests.databases import open_empty

pytestmark = pytest.mark.service


def worker(engine, settings):
    book = KeyBook(engine, settings.keys)
    watcher = Watcher(engine, geo(settings.geoip))
    return Pipeline(
        engine, watcher, lambda lines: (lines, ()), book, lambda _, alert: alert, time,
        meter=Meter(time, book.ours, flush_s=0.0),
    )  # fmt: skip


def test_a_batch_waits_for_who_changes_keys_before_it_holds_what_that_one_wants(postgresql_url):
    engine = open_empty(postgresql_url)
    pipeline = worker(engine, Settings())
    log_format = formats.find("nginx-json")
    lines = list(log_format.samples)
    chunk = Chunk("kafka:t/0", lines, list(range(len(lines))), {"offset": len(lines)})
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as connection:
            in_commit_order(connection)
            absorbing = pool.submit(pipeline.absorb, chunk, log_format)
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not connection.execute(waits).scalar():
                pass
            counters.add(connection, {"events_read": 7})
        outcome = absorbing.result(60)
    assert outcome.events
    with reading(engine) as connection:
        assert counters.all_of(connection)["events_read"] == 7 + len(lines)
    engine.dispose()
