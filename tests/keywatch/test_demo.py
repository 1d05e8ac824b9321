"""The tour as a user takes it: the whole product, end to end."""

import json
import os
import subprocess
import sys


def test_the_tour_locks_out_a_leaked_and_a_stolen_key_and_brings_one_back(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "keywatch", "demo", "--json"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("KEYWATCH_")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    seconds = told["leak"].pop("seconds_to_lockout"), told["theft"].pop("seconds_to_lockout")
    assert all(s >= 0 for s in seconds)
    assert told["leak"] == {"found": True, "revoked": True, "status_after": 401}
    assert told["anomaly"].pop("false_alerts_before") >= 0
    assert told["anomaly"] == {"severity": "high", "action": "throttle", "status_after": 429}
    assert told["theft"] == {"severity": "critical", "action": "revoke", "status_after": 401}
    assert told["undo"] == {"restored": True, "status_after": 200}
    assert not list(tmp_path.iterdir())
