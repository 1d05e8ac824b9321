"""Traces: one of each alert, from the log line to the gateway, and none of it where nobody asks."""

import subprocess
import sys
import time

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from database.transaction import reading
from keystore.scheme import KeyScheme
from keywatch.config_console import TelemetrySettings
from keywatch.demo import traffic
from keywatch.tracing import Following, HeardReader, Heeding, spans_of, tell_heeded, trace_of
from tests.console.house import House
from tests.httpd import serving

SOMEWHERE = TelemetrySettings(traces="http://127.0.0.1:1/v1/traces")


@pytest.fixture
def house(tmp_path):
    house = House(f"sqlite:///{tmp_path / 'k.db'}")
    yield house
    house.engine.dispose()


@pytest.fixture
def exported():
    return InMemorySpanExporter()


def finished(spans, exported):
    spans.close()
    return {span.name: span for span in exported.get_finished_spans()}


def until(look, patience_s=60):
    end = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def test_an_alert_is_a_trace_with_its_decision_its_effect_and_the_gateway(house, exported):
    spans = spans_of(SOMEWHERE, "pipeline", exported)
    following = Following(house.engine, spans, house.clock)
    key = house.key()
    house.now += 5
    alert = house.alert(key, "critical")
    following.turn()
    house.now += 0.25
    house.carry_out()
    following.turn()
    following.turn()
    house.now += 0.5
    with reading(house.engine) as connection:
        tell_heeded(connection, spans, key, house.now)
    told = finished(spans, exported)
    assert {"alert", "decide", "effect revoke", "gateway heeds"} <= set(told)
    trace, first = trace_of(alert.id)
    assert {span.context.trace_id for span in told.values()} == {trace}
    assert told["alert"].context.span_id == first
    assert told["alert"].parent is None
    assert {span.parent.span_id for name, span in told.items() if name != "alert"} == {first}
    effect = told["effect revoke"]
    assert (effect.end_time - effect.start_time) / 1e9 == pytest.approx(0.25, abs=0.01)
    heeds = told["gateway heeds"]
    assert (heeds.end_time - heeds.start_time) / 1e9 == pytest.approx(0.5, abs=0.01)
    assert told["decide"].attributes["keywatch.action"] == "revoke"
    assert told["alert"].attributes["keywatch.key.id"] == key
    assert told["alert"].resource.attributes["service.name"] == "keywatch-pipeline"
    # each once, however often it was looked
    assert len(exported.get_finished_spans()) == len(told)


def test_what_happened_before_is_not_told_and_a_change_by_a_person_is_no_alerts(house, exported):
    key = house.key()
    house.alert(key, "critical")
    house.now += 1
    spans = spans_of(SOMEWHERE, "pipeline", exported)
    Following(house.engine, spans, house.clock).turn()
    house.store.suspend(key, actor="ann", reason="holiday")
    with reading(house.engine) as connection:
        tell_heeded(connection, spans, key, house.now)
        tell_heeded(connection, spans, "key_none", house.now)
    assert not finished(spans, exported)


def test_an_effect_that_was_given_up_is_an_error(house, exported):
    spans = spans_of(SOMEWHERE, "pipeline", exported)
    following = Following(house.engine, spans, house.clock)
    key = house.key()
    house.now += 1
    house.alert(key, "critical")
    house.store.revoke(key, actor="ann", reason="first")
    with house.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET state = 'dead' WHERE lane = 'effect'")
    following.turn()
    assert finished(spans, exported)["effect revoke"].status.status_code is StatusCode.ERROR


def test_a_gateways_reader_says_what_it_put_into_force(house, exported):
    spans = spans_of(SOMEWHERE, "gateway", exported)
    house.now = time.time()
    key = house.key()
    reader = HeardReader(house.engine)
    heeding = Heeding(house.engine, spans, reader)
    news = []
    heeding.start()
    reader.start(news.append)
    try:
        until(lambda: news)
        house.alert(key, "critical")
        house.carry_out()
        until(lambda: any(one.changed for one in news))
        until(lambda: spans._provider.force_flush() and exported.get_finished_spans())
    finally:
        reader.stop()
        heeding.stop()
    (span,) = exported.get_finished_spans()
    assert span.name == "gateway heeds"
    assert span.resource.attributes["service.name"] == "keywatch-gateway"


def test_watch_sends_its_traces_to_a_collector(tmp_path):
    leaked = KeyScheme().generate("live")
    with serving(lambda _: (200, {}, b"")) as collector:
        fields = ("198.51.100.7", f"GET /?api_key={leaked} HTTP/1.1", 200, 1, "shop/4.2", "1", "")
        line = traffic.Line("2026-03-02T09:12:44+00:00", *fields)
        (tmp_path / "access.log").write_bytes(msgspec.json.encode(line) + b"\n")
        (tmp_path / "keywatch.toml").write_text(
            f'[telemetry]\ntraces = "{collector.url}/v1/traces"\nservice = "shop"\n'
        )
        words = ["watch", "--access-log", "access.log", "--once"]
        command = [sys.executable, "-m", "keywatch", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (asked,) = collector.asked
    assert asked.path == "/v1/traces"
    sent = ExportTraceServiceRequest.FromString(asked.body).resource_spans
    names = {span.name for one in sent for scope in one.scope_spans for span in scope.spans}
    assert {"alert", "decide"} <= names
    assert leaked.encode() not in asked.body


def test_who_wants_no_traces_imports_nothing_for_them(tmp_path):
    assert spans_of(TelemetrySettings(), "pipeline") is None
    code = (
        "import sys\n"
        "from keywatch.cli import run\n"
        "(open('a.log', 'w')).close()\n"
        "run(['watch', '--access-log', 'a.log', '--once'])\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
