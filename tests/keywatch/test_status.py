"""What `keywatch status` and the metrics tell of each source."""

import json
import time

import pytest
from click.testing import CliRunner

from database.transaction import open_database, reading
from keywatch import metrics, rates
from keywatch.cli import keywatch
from keywatch.cli.status import _long
from keywatch.status import status
from tests.keywatch.traffic import ordinary


@pytest.fixture
def run(tmp_path):
    def run(*words):
        place = ["--database", f"sqlite:///{tmp_path}/keywatch.db"]
        result = CliRunner().invoke(keywatch, [*place, *words], standalone_mode=False)
        if result.exception:
            raise result.exception
        return result.stdout

    return run


def test_each_source_tells_its_watermark_lag_rate_rest_and_dead_letters(run, tmp_path):
    lines = list(ordinary(1, keys=2))
    log = tmp_path / "access.log"
    log.write_text("\n".join(["broken", *lines, ""]))
    run("watch", "--access-log", str(log), "--once")
    source = f"file:{log}"
    (one,) = json.loads(run("status", "--json"))["sources"].values()
    newest = json.loads(lines[-1])["time_iso8601"][:19]
    assert one["newest"][:19] == newest
    assert one["lag_s"] >= 0
    assert (one["behind"], one["dead"]) == (0, 1)
    assert set(one["position"]) == {"inode", "offset", "head", "fingerprint", "mtime_ns"}
    assert "s late" in run("status")

    engine = open_database(f"sqlite:///{tmp_path}/keywatch.db")
    soon = time.time() + 60  # the minute of the commit is whole then
    with reading(engine) as connection:
        text = metrics.text(connection, soon)
        assert rates.per_source(connection, soon) == {source: round(len(lines) / 300, 3)}
    assert status(engine, soon)["sources"][source]["events_per_s"] > 0
    engine.dispose()
    for name, value in (
        ("source_dead_letters", "1"),
        ("source_behind", "0"),
        ("source_watermark_seconds", ""),
        ("source_lag_seconds", ""),
        ("source_events_per_second", f"{len(lines) / 300:.3f}"),
    ):
        assert f'keywatch_{name}{{source="{source}"}} {value}' in text


def test_an_event_of_the_future_is_no_watermark(run, tmp_path):
    told = json.loads(next(iter(ordinary(1, keys=1)))) | {"time_iso8601": "2999-01-01T00:00:00Z"}
    (tmp_path / "access.log").write_text(json.dumps(told) + "\n")
    run("watch", "--access-log", str(tmp_path / "access.log"), "--once")
    (one,) = json.loads(run("status", "--json"))["sources"].values()
    assert one["newest"] < "2999"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.42, "0.4 s"), (75.2, "75 s"), (600, "10 min"), (7300, "2 h"), (23_353_241.278, "270 days")],
)
def test_spans_of_time_are_said_in_the_unit_that_fits(seconds, said):
    assert _long(seconds) == said
