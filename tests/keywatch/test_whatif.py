"""What another policy would have done: with stored alerts, and with a replay of logs."""

import json
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner

from actions import judgement
from actions.executor import Executor
from database.transaction import transaction
from keystore import usage
from keystore.usage import HOUR_S, Use
from keywatch.cli import keywatch
from keywatch.demo import traffic
from tests.actions.desk import Desk, alert_about
from tests.databases import open_empty
from vocabulary.errors import UsageError

STRICT = '[[case]]\nseverity = ["high", "critical"]\naction = "revoke"\n'
MILD = '[[case]]\nseverity = ["critical"]\naction = "throttle"\nrate_per_min = 5\n'


@pytest.fixture
def desk(tmp_path):
    engine = open_empty(f"sqlite:///{tmp_path}/keywatch.db")
    desk = Desk(engine)
    desk.now = time.time() - 86_400
    yield desk
    engine.dispose()


@pytest.fixture
def policies(tmp_path):
    files = []
    for name, text in (("strict", STRICT), ("mild", MILD)):
        files.append(tmp_path / f"{name}.toml")
        files[-1].write_text(text)
    return [str(file) for file in files]


def run(desk, *words):
    arguments = ["--database", str(desk.engine.url), "replay", *words]
    result = CliRunner().invoke(keywatch, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.stdout


def compared(desk, policies, *words):
    chosen = [word for policy in policies for word in ("--policy", policy)]
    return json.loads(run(desk, *chosen, "--json", *words))


def stolen(desk, number, severity, feedback=""):
    key = desk.key(owner=f"owner-{number}")
    desk.answer(alert_about(key, number=number, severity=severity))
    if feedback:
        with transaction(desk.engine) as connection:
            judgement.judge(connection, f"alert_{number}", feedback, actor="bob", now=desk.now)
    return key


def test_two_policies_stand_side_by_side_with_owner_traffic_and_feedback(desk, policies):
    critical, high = (
        stolen(desk, 1, "critical", "confirmed"),
        stolen(desk, 2, "high", "false"),
    )
    stolen(desk, 3, "low")
    hour = int(desk.now // HOUR_S - 2) * HOUR_S
    with transaction(desk.engine) as connection:
        usage.record(connection, [Use(critical, hour, "GET", 2, "", 70)], {}, desk.now)
    Executor(desk.engine, clock=desk.clock).run_effects()
    assert desk.store.get(critical).state == "revoked"
    said = compared(desk, policies, "--since", "30d")
    strict, mild = policies
    assert said["alerts"] == 3
    rows = {row["key"]: row for row in said["keys"]}
    assert set(rows) == {critical, high}
    assert rows[critical]["policies"][strict]["action"] == "revoke"
    assert rows[critical]["policies"][mild]["action"] == "throttle"
    assert rows[high]["policies"][mild] is None
    assert (rows[critical]["owner"], rows[critical]["traffic"]) == ("owner-1", 70)
    assert said["policies"][strict]["by_feedback"] == {"true": 1, "false": 1, "unknown": 0}
    assert said["policies"][mild]["by_feedback"] == {"true": 1, "false": 0, "unknown": 0}
    assert said["hits"][strict][0]["line"] == f"{strict}:1"
    assert len(desk.rows(lane="effect")) == 2  # nothing was changed


def test_guards_hold_in_what_would_have_been(desk, policies, tmp_path):
    keys = [stolen(desk, number, "critical") for number in range(4)]
    capped = tmp_path / "capped.toml"
    capped.write_text("[guards]\nrevocations_per_hour = 2\n" + STRICT)
    said = compared(desk, [str(capped)], "--since", "2d")
    (summary,) = said["policies"].values()
    assert (summary["keys"], summary["held"]) == (2, 2)
    assert {row["key"] for row in said["keys"]} == set(keys)


def test_it_is_told_to_people_and_older_alerts_are_left_out(desk, policies):
    stolen(desk, 1, "critical")
    said = run(desk, "--since", "30d", "--policy", policies[0])
    assert "1 keys (1 revoke), 0 held; 0 true, 0 false, 1 nobody judged" in " ".join(said.split())
    assert compared(desk, policies, "--since", "1h")["alerts"] == 0
    assert "built-in" in run(desk, "--since", "30d")


def test_policies_are_compared_on_logs(desk, policies, tmp_path):
    log = tmp_path / "access.log"
    end = datetime(2026, 3, 4, 2, tzinfo=UTC)
    theft = [
        msgspec.json.encode(
            traffic.Line(
                (end + timedelta(seconds=number)).isoformat(timespec="milliseconds"),
                traffic.THIEF_HOST,
                "GET /v1/customers HTTP/1.1",
                200,
                900,
                traffic.THIEF_AGENT,
                f"t{number}",
                "key_person",
            )
        )
        for number in range(200)
    ]
    ordinary = traffic.ordinary("key_service", "key_person", end)
    log.write_bytes(b"".join(line + b"\n" for line in (*ordinary, *theft)))
    said = compared(desk, policies, str(log), "--format", "nginx-json")
    assert said["alerts"] >= 1
    assert set(said["policies"]) == set(policies)


@pytest.mark.parametrize(
    "words", [(), ("--since", "soon"), ("--since", "1d", __file__), (__file__,)]
)
def test_wrong_words_are_refused(desk, words):
    with pytest.raises(UsageError):
        run(desk, *words)
