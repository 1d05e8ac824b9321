"""From the gateway straight into the pipeline, and what it tells of itself."""

import json
import re

import pytest

from gateway.access import Access, as_event
from gateway.accesslog import AccessLog

CONFIG = """
[gateway]
events = "events.jsonl"
query_keys = true
metrics = true
canary_s = 0.05
"""


@pytest.fixture
def watched(make_place):
    place = make_place(CONFIG)
    with place.serving() as served:
        yield place, served


def test_requests_become_events_of_the_pipeline_without_a_source_of_their_own(watched, eventually):
    place, served = watched
    issued = place.issue()
    file = place.folder / "events.jsonl"
    assert served.get(issued.secret, "/v1/things?a=b").status == 200
    assert served.get(path="/x?key=nobody-has-this").status == 401

    def ours():
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        return [line for line in lines if line["path"] in {"/v1/things", "/x"}]

    first, second = eventually(lambda: file.exists() and len(ours()) == 2 and ours())
    assert (first["key"], first["path"], first["status"]) == (issued.key.id, "/v1/things", 200)
    assert second["key"].startswith("credential:")
    assert "nobody-has-this" not in file.read_text()

    def events():
        return json.loads(place.say("status", "--json").stdout)["events"]

    ended = place.say("watch", "--once")
    assert ended.returncode == 0, ended.stderr
    before = events()
    assert before["committed"] >= 2
    assert before["dead"] == 0
    assert served.get(issued.secret, "/v1/more").status == 200
    eventually(lambda: "/v1/more" in file.read_text())
    assert place.say("watch", "--once").returncode == 0
    assert events()["committed"] > before["committed"]


def test_the_canary_measures_how_soon_a_change_is_heeded(watched, eventually):
    place, served = watched

    def lockouts():
        said = served.get(path="/metrics").body.decode()
        return (
            int(re.search(r"keywatch_gateway_lockout_seconds_count (\d+)", said)[1]) >= 2 and said
        )

    said = eventually(lockouts)
    assert 'keywatch_gateway_requests_total{outcome="allowed"}' in said
    assert 'keywatch_gateway_requests_total{outcome="api_key_suspended"}' in said
    assert "keywatch_gateway_current 1" in said
    assert served.get(path="/metrics", headers={"X-Forwarded-For": "::1"}).status == 403
    served.process.terminate()
    served.process.wait()
    keys = json.loads(place.say("keys", "list", "--json").stdout)
    assert [(key["name"], key["state"]) for key in keys] == [("canary", "revoked")]


def test_metrics_are_not_told_unless_configured(place):
    with place.serving() as served:
        assert served.get(path="/metrics").status == 401


def test_a_file_of_events_does_not_grow_without_end(tmp_path, eventually):
    file = tmp_path / "events"
    log = AccessLog(file, every_s=0.001, form=as_event, most_bytes=1000)
    access = Access(1.0, "192.0.2.1", "GET", b"/", "1.1", 200, 1, b"", "r", "key_a")
    for rotated in ("events.1", "events.2"):
        for _ in range(20):
            log(access)
        eventually(lambda: file.exists() and file.stat().st_size > 1000)
        log(access)
        eventually(lambda name=rotated: (tmp_path / name).exists())
    log.close()
    lines = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert lines.count(b"\n") == 42
    assert sorted(one.name for one in tmp_path.iterdir()) == ["events", "events.1", "events.2"]
