"""What Spark's workers do, without Spark: repeated, begun anew, done twice at once."""

from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest

from database.transaction import open_database, reading, transaction
from keywatch import shards
from keywatch.config import Settings
from keywatch.config_streams import SourceSettings
from keywatch.shards import (
    Job,
    Worker,
    route,
    route_letters,
    run_batch,
    run_history,
    run_letters,
)
from streams import deadletter
from tests.keywatch.fleet import attacked, calm_run, moved, prepared, truth
from vocabulary.errors import DatabaseError

pytestmark = pytest.mark.service
ORDER = ["shard", "first", "second", "third"]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    return folder, [one for _, one in attacked(*prepared(f"sqlite:///{folder}/calm.db"))[-3000:]]


@pytest.fixture
def job(postgresql_url, lines):
    moved(postgresql_url, f"sqlite:///{lines[0]}/calm.db")
    settings = msgspec.json.encode(Settings(database=postgresql_url))
    source = msgspec.json.encode(SourceSettings(format="nginx-json"))
    one = Job("test", 4, settings, source, act=False)
    yield one
    another_process(one)


def another_process(job):
    """Forget what is in memory."""
    shards.worker(job).close()
    shards.worker.cache_clear()


def table(lines, start=0):
    numbers = np.arange(start, start + len(lines))
    zeros = np.zeros(len(lines), np.int64)
    return pd.DataFrame({"first": zeros, "second": zeros, "third": numbers, "line": lines})


def dealt_out(lines, job, start=0):
    routed = pd.concat(list(route(iter([table(lines, start)]), job)))
    return routed.sort_values(ORDER).reset_index(drop=True)


def totals(frames):
    names = ["lines", "events", "alerts"]
    return pd.concat([pd.DataFrame(columns=names), *frames])[names].sum().tolist()


def cut(frame, *edges):
    parts = zip((0, *edges), (*edges, len(frame)), strict=True)
    return iter([frame.iloc[begin:end] for begin, end in parts])


def test_every_line_goes_to_one_shard_and_what_was_refused_also_to_one_of_addresses(lines, job):
    found = dealt_out(lines[1], job)
    assert sorted(found[found["shard"] >= 0]["third"]) == list(range(len(lines[1])))
    refused = found[found["shard"] < 0]
    assert len(refused) == 12  # all of one address
    assert len(set(refused["shard"])) == 1
    by_key = found[found["shard"] >= 0].assign(
        key=[one[one.rfind(b'"api_key_id"') :] for one in found[found["shard"] >= 0]["line"]]
    )
    assert by_key.groupby("key")["shard"].nunique().max() == 1


def test_a_batch_that_is_repeated_or_runs_twice_at_once_counts_once(lines, job):
    found = dealt_out(lines[1], job)
    half = int(np.flatnonzero(np.diff(found["shard"].to_numpy()))[-1]) + 1
    first = totals(run_batch(cut(found.iloc[:half], 3), job, 0))
    another_process(job)  # which begins the same batch
    rest = totals(run_batch(cut(found, half // 2, half), job, 0))
    assert first[0] + rest[0] == len(lines[1])
    assert totals(run_batch(iter([found]), job, 0)) == [0, 0, 0]

    more = dealt_out(lines[1][:50], job, len(lines[1]))
    slow, fast = Worker(job), shards.worker(job)
    shard = int(more["shard"].iloc[-1])
    mine = more[more["shard"] == shard]
    seen = slow.committed(shard)
    slow.committed = lambda _: seen  # it has looked before the other one committed
    assert fast.absorb(shard, mine, 1, 2).lines == len(mine)
    with pytest.raises(DatabaseError, match="another worker"):
        slow.absorb(shard, mine, 1, 2)
    slow.close()


def test_a_history_goes_on_where_it_was_however_it_is_cut(lines, job, monkeypatch):
    whole = dealt_out(lines[1], job)
    monkeypatch.setattr(shards, "CHUNK_LINES", 170)
    begun = run_history(cut(whole, 333, 800), job)
    next(begun)
    with pytest.raises(RuntimeError):
        begun.throw(RuntimeError("killed"))
    another_process(job)
    monkeypatch.setattr(shards, "CHUNK_LINES", 230)
    totals(run_history(cut(whole, 900), job))
    url = msgspec.json.decode(job.settings)["database"]
    once = truth(url)
    assert once["events"] == len(lines[1])
    assert totals(run_history(iter([whole]), job)) == [0, 0, 0]
    assert truth(url) == once


def asked(job, engine, most=10**6):
    with reading(engine) as connection:
        return deadletter.asked_of_job(connection, f"spark:{job.name}/", most)


def letters_routed(job, engine, most=10**6):
    letters = asked(job, engine, most)
    rows = [(at, one.id, one.raw) for at, one in enumerate(letters)]
    frame = pd.DataFrame(rows, columns=["third", "letter", "line"])
    routed = pd.concat(list(route_letters(iter([frame]), job)))
    return routed.sort_values(["shard", "third"]).reset_index(drop=True)


def test_letters_of_a_job_are_read_again_by_it_with_the_alerts_of_an_undisturbed_run(
    lines, job, tmp_path
):
    """Every line a dead letter, for its format was wrong; read again in parts, and repeated."""
    (tmp_path / "access.log").write_bytes(b"".join(one + b"\n" for one in lines[1]))
    calm = f"sqlite:///{tmp_path}/other.db"
    moved(calm, f"sqlite:///{lines[0]}/calm.db")
    expected = calm_run(tmp_path, calm)
    source = msgspec.json.encode(SourceSettings(format="haproxy"))
    wrong = replace(job, source=source)
    totals(run_batch(iter([dealt_out(lines[1], wrong)]), wrong, 0))
    another_process(wrong)
    engine = open_database(msgspec.json.decode(job.settings)["database"])
    with transaction(engine) as connection:
        assert deadletter.ask_again(connection) == len(lines[1])
    parts = 0
    while len(asked(job, engine)):
        routed = letters_routed(job, engine, 1100)
        addresses = routed[routed["shard"] < 0]
        for _ in range(2):  # killed before any of the rest was committed
            totals(run_letters(iter([addresses]), job))
        rest = routed[routed["shard"] >= 0].reset_index(drop=True)
        half = int((rest["shard"] == rest["shard"].iloc[0]).sum())
        done = totals(run_letters(iter([rest.iloc[:half]]), job))[0]
        another_process(job)  # killed
        if len(left := letters_routed(job, engine, 1100 - done)):
            totals(run_letters(iter([left[left["shard"] < 0]]), job))
            totals(run_letters(iter([left[left["shard"] >= 0]]), job))
        parts += 1
    assert parts == 3
    got = truth(msgspec.json.decode(job.settings)["database"])
    assert {k: got[k] for k in ("alerts", "events")} == {
        k: expected[k] for k in ("alerts", "events")
    }
    assert got["letters"] == []
    engine.dispose()


def test_a_letter_that_is_still_no_event_stays_and_a_batch_of_before_commits_nothing(lines, job):
    batch = dealt_out([*lines[1][:60], b"broken"], job)
    totals(run_batch(iter([batch]), job, 0))
    engine = open_database(msgspec.json.decode(job.settings)["database"])
    more = dealt_out(lines[1][60:90], job, 61)
    shard = int(more["shard"].iloc[-1])
    with transaction(engine) as connection:
        line = more["line"].iloc[-1]
        deadletter.keep(connection, "spark:test/0", [({"offset": 1}, "why", line)], 5.0)
        deadletter.keep(connection, "spark:other/0", [({"offset": 1}, "why", line)], 5.0)
        assert deadletter.ask_again(connection) == 3
    late = Worker(job)  # its driver was killed; it works on
    seen = late.committed(shard)
    late.committed = lambda _: seen
    routed = letters_routed(job, engine)
    assert totals(run_letters(iter([routed[routed["shard"] >= 0]]), job))[:2] == [1, 1]
    with reading(engine) as connection:
        (left,) = [
            one
            for one in deadletter.newest(connection)
            if one.source == "spark:test/0" or one.raw == b"broken"
        ]
        assert (left.raw, left.state) == (b"broken", "dead")
    with pytest.raises(DatabaseError, match="another worker"):
        late.absorb(shard, more[more["shard"] == shard], 1, 2)
    assert totals(run_batch(iter([more]), job, 1))[0] == 30
    late.close()
    engine.dispose()
