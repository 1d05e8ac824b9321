"""Sources wait while too much waits to be carried out, and are read on afterwards."""

import pytest
from sqlalchemy import update

from database.schema import outbox
from database.transaction import transaction
from keywatch import holding
from keywatch.holding import Holding
from keywatch.sources import Stream
from streams.sources.file import FileSource
from streams.sources.kafka import KafkaSource

ROW = {
    "alert_id": "a",
    "subject": "k",
    "lane": "effect",
    "effect": "revoke",
    "arguments": {},
    "attempts": 0,
    "not_before": 0.0,
    "created_at": 0.0,
}


@pytest.fixture
def streams(tmp_path):
    topic = KafkaSource("t", brokers=["127.0.0.1:1"], group="g", positions=lambda _: None)
    return [Stream(FileSource(tmp_path / "access.log", follow=True), None), Stream(topic, None)]


def test_only_what_must_keep_its_place_in_a_group_is_asked_on_while_the_outbox_is_long(
    engine, streams, monkeypatch
):
    monkeypatch.setattr(holding, "_MEASURE_S", 0.0)
    told = []
    one = Holding(engine, 1, told.append)
    assert one.readable(streams) == streams
    assert not told
    with transaction(engine) as connection:
        for number in "ab":
            connection.execute(
                outbox.insert().values(**ROW, idempotency_key=number, state="waiting")
            )
    for _ in range(2):
        assert one.readable(streams) == streams[1:]
    assert streams[1].source._paused
    assert [said for said in told if "is long" in said] == told[:1]
    with transaction(engine) as connection:
        connection.execute(update(outbox).values(state="done"))
    assert one.readable(streams) == streams
    assert not streams[1].source._paused
    assert len(told) == 2
    assert "short again" in told[1]
