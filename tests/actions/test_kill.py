"""Executors that are killed at random moments: every effect once, every message, in order."""

import os
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select

from actions.policy import parse
from database.schema import audit
from database.transaction import reading
from keystore.audit import verify
from tests.actions.desk import alert_about, insisting, until

KILLS = int(os.environ.get("KEYWATCH_TEST_KILLS", "20"))
SECRET = "whsec_" + b64encode(Random(2).randbytes(32)).decode()
LEASES_OVER_S = 5000.0
PATIENCE_S = 120.0
POLICY = """
[guards]
revocations_per_hour = 1000000
breaker_keys = 1000000
breaker_share = 1.0
[[case]]
severity = ["critical"]
action = "revoke"
notify = ["all"]
[[case]]
action = "throttle"
rate_per_min = 5
notify = ["all"]
"""


class Nest:
    """The process that forks executors."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("executor_process.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def hatch(self, ahead_s):
        self.process.stdin.write(f"{ahead_s}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()  # a child that lives on ends by itself
        self.process.wait()


@pytest.fixture
def nest(desk, receiver):
    one = Nest(str(desk.engine.url), receiver.url, SECRET)
    yield one
    one.close()


def answering(random):
    """Answer late sometimes, and not well sometimes."""

    def answer(_number):
        threading.Event().wait(random.random() * 0.01)
        return 503 if random.random() < 0.2 else 204

    return answer


def test_killed_executors_lose_nothing_and_do_nothing_twice(desk, receiver, nest):
    random = Random(20)
    desk.now, desk.policy = time.time(), parse(POLICY, "p.toml")
    receiver.answers = answering(Random(21))
    keys = []
    for kill in range(KILLS):
        child = nest.hatch(kill * LEASES_OVER_S)
        mine = [insisting(desk.key) for _ in range(3)]
        keys += mine
        for severity in ("high", "critical"):
            for key in mine:
                alert = alert_about(key, number=f"{key}-{severity}", severity=severity)
                insisting(partial(desk.answer, alert))
        threading.Event().wait(random.random() * 0.15)
        os.kill(child, signal.SIGKILL)
    finish(desk, nest)

    assert Counter(row.state for row in desk.rows()) == {"done": 4 * len(keys)}
    with reading(desk.engine) as connection:
        changes = Counter(connection.execute(select(audit.c.subject, audit.c.verb)).all())
        assert verify(connection).broken_at == 0
    decisions = [count for (_, verb), count in changes.items() if verb == "decide"]
    assert decisions == [2] * len(keys)
    verbs = ("create", "throttle", "revoke")
    changed = {what: count for what, count in changes.items() if what[1] != "decide"}
    # … and the policy that all of them went by, once
    assert [changed.pop(what) for what in list(changed) if what[1] == "adopt"] == [1]
    assert changed == {(key, verb): 1 for key in keys for verb in verbs}
    # Done a second time, an effect would find its own traces, and an undo would bring them back.
    assert {row.result["was"]["state"] for row in desk.rows(effect="revoke")} == {"active"}
    assert {row.result["was"]["per_min"] for row in desk.rows(effect="throttle")} == {None}
    assert set(receiver.ids()) == {row.idempotency_key for row in desk.rows(effect="notify")}
    for key in keys:
        first = [m for m in messages_once(receiver) if m["data"]["alert"]["key"] == key]
        assert [m["data"]["decision"]["action"] for m in first] == ["throttle", "revoke"]


def finish(desk, nest):
    """Let executors work until nothing is left, each one later so that no retry is far off."""
    end = time.monotonic() + 5 * PATIENCE_S  # on a busy machine a round does little
    rounds = KILLS
    while any(row.state != "done" for row in desk.rows()):
        assert time.monotonic() < end, Counter((row.state, row.error) for row in desk.rows())
        rounds += 1
        before = progress(desk)
        child = nest.hatch(rounds * LEASES_OVER_S)
        until(lambda before=before: progress(desk) != before, PATIENCE_S)
        threading.Event().wait(0.3)
        os.kill(child, signal.SIGKILL)


def progress(desk):
    return [(row.state, row.attempts) for row in desk.rows()]


def messages_once(receiver):
    """Return the messages as a receiver that knows idempotency keys sees them."""
    by_id = {}
    for message_id, message in zip(receiver.ids(), receiver.messages(), strict=True):
        by_id.setdefault(message_id, message)
    return by_id.values()
