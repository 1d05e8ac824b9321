"""The tour itself: five scenes, each with the commands that a user would type."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from keywatch.demo import traffic
from keywatch.demo.leak import repository_with_amended_leak
from keywatch.demo.stage import Stage, ask, wait_for
from vocabulary.errors import ServiceError
from vocabulary.moments import moment_of

OK, DENIED, TOO_MANY = 200, 401, 429
MOST_REQUESTS = 4000

_CONFIG = """\
database = "sqlite:///{folder}/keywatch.db"

[[sources]]
path = "{folder}/access.log"
format = "nginx-json"

[gateway]
port = 0
access_log = "{folder}/access.log"
trusted_proxies = ["127.0.0.1/32"]

[actions]
enabled = ["throttle", "revoke"]
"""
_KEYS = (
    ("payments", "pay-team", "service"),
    ("orders-sync", "ops-team", "service"),
    ("maria", "maria", "human"),
)

Tell = Callable[[str, list[str]], None]
"""Told a scene's title and its lines, when it has been played."""


@dataclass(frozen=True, slots=True)
class Used:
    """How a key's use ended: the last of so many requests was refused after so many seconds."""

    sent: int
    status: int
    seconds: float


class Tour:
    """Plays the scenes in order.

    Args:
        stage: where it plays.
        tell: see Tell.
    """

    def __init__(self, stage: Stage, tell: Tell) -> None:
        self._stage, self._tell = stage, tell
        self._keys: dict[str, dict[str, Any]] = {}
        self._url = ""

    def run(self) -> dict[str, dict[str, Any]]:
        """Play all scenes; return the JSON contract of `keywatch demo --json`.

        Raises:
            ServiceError: when a command does not do what the scene is about.
        """
        self._stage.config.write_text(_CONFIG.format(folder=self._stage.folder))
        self._issue()
        lines = self._write_history()
        with self._gateway():
            leak = self._leak()
            with self._stage.running("watch"):
                false_alerts = self._ordinary(lines)
                anomaly = {**self._burst(), "false_alerts_before": false_alerts}
                theft = self._theft()
                undo = self._undo()
        return {"leak": leak, "anomaly": anomaly, "theft": theft, "undo": undo}

    @contextmanager
    def _gateway(self) -> Iterator[None]:
        with self._stage.running("serve") as process:
            address = self._stage.said("serve", "http://", process).split()[-1]
            self._url = f"{address}/v1/orders"
            yield

    def _issue(self) -> None:
        for name, owner, kind in _KEYS:
            words = ("keys", "create", "--name", name, "--owner", owner, "--class", kind)
            self._keys[name] = self._stage.json(*words)
        self._tell(
            "Three keys are issued; the store keeps their hashes alone",
            [f"{name:12} {key['id']}" for name, key in self._keys.items()],
        )

    def _write_history(self) -> int:
        service, person = self._keys["orders-sync"]["id"], self._keys["maria"]["id"]
        lines = list(traffic.ordinary(service, person, datetime.now(UTC)))
        (self._stage.folder / "access.log").write_bytes(b"\n".join([*lines, b""]))
        return len(lines)

    def _leak(self) -> dict[str, Any]:
        key = self._keys["payments"]
        before = ask(self._url, key["secret"]).status
        repository = repository_with_amended_leak(self._stage.folder / "shop", key["secret"])
        words = ("scan", str(repository), "--act", "--format", "jsonl")
        scan = self._stage.begin(*words)
        status = wait_for(lambda: self._refusal(key["secret"]), "the leaked key to be locked out")
        refused_at = time.time()
        findings = [json.loads(one) for one in self._stage.ended(scan, words, (1,)).splitlines()]
        hit = next(one for one in findings if one["key_id"] == key["id"])
        seconds = refused_at - moment_of(self._newest_alert(key["id"])["ts"], 0.0)
        self._tell(
            "A live key is committed, then amended away; the scan reads every object of git",
            [
                f"the gateway's answer before: {before}",
                f"found: {hit['secret']} in {hit['path']}:{hit['line']} of {hit['commit'][:10]}",
                f"proven: {hit['verdict']['store']} in the store, checksum {_proof(hit)}",
                f"the gateway's answer after: {status}, {seconds:.2f} s after the hit",
            ],
        )
        revoked = self._key("payments")["state"] == "revoked"
        return {
            "found": True,
            "revoked": revoked,
            "status_after": status,
            "seconds_to_lockout": round(seconds, 3),
        }

    def _ordinary(self, lines: int) -> int:
        wait_for(lambda: self._committed() >= lines, "weeks of ordinary traffic")
        alerts = self._stage.json("alerts", "list", "--limit", "1000")
        false = [one for one in alerts if one["kind"] != "leak" and one["severity"] != "low"]
        self._tell(
            f"{traffic.WEEKS} weeks of two keys' ordinary traffic are streamed",
            [f"{lines} requests, {len(false)} alerts of medium or more"],
        )
        return len(false)

    def _burst(self) -> dict[str, Any]:
        used = self._use("orders-sync", traffic.SERVICE_HOSTS, traffic.SERVICE_AGENT, TOO_MANY)
        alert = self._newest_alert(self._keys["orders-sync"]["id"])
        self._tell(
            "The first key is used far more than usual, from its own addresses",
            [f"after {used.sent} requests: throttled, {used.status}", *_words(alert)],
        )
        return _outcome(alert, used)

    def _theft(self) -> dict[str, Any]:
        used = self._use("maria", (traffic.THIEF_HOST,), traffic.THIEF_AGENT, DENIED)
        alert = self._newest_alert(self._keys["maria"]["id"])
        self._tell(
            "The second is used from a host abroad, in its owner's night, fast",
            [
                f"after {used.sent} requests, {used.seconds:.2f} s: revoked, {used.status}",
                *_words(alert),
            ],
        )
        return {**_outcome(alert, used), "seconds_to_lockout": round(used.seconds, 3)}

    def _undo(self) -> dict[str, Any]:
        key = self._keys["maria"]
        actions = self._stage.json("actions", "list", "--key", key["id"], "--state", "done")
        revoked = next(one for one in actions if one["effect"] == "revoke")
        self._stage.run("actions", "undo", str(revoked["id"]))
        status = wait_for(
            lambda: (code := ask(self._url, key["secret"]).status) == OK and code, "the undo"
        )
        self._tell(
            "Maria says it was her, on a journey: the revocation is undone",
            [f"keywatch actions undo {revoked['id']}: {self._key('maria')['state']}, {status}"],
        )
        return {"restored": self._key("maria")["state"] == "active", "status_after": status}

    # --- what the scenes share ---------------------------------------------------------------

    def _use(self, name: str, hosts: tuple[str, ...], agent: str, until: int) -> Used:
        """Send requests until one is answered with the status `until`."""
        secret, began = self._keys[name]["secret"], time.monotonic()
        for sent in range(1, MOST_REQUESTS + 1):
            status = ask(self._url, secret, host=hosts[sent % len(hosts)], agent=agent).status
            if status == until:
                return Used(sent, status, time.monotonic() - began)
        raise ServiceError(f"{MOST_REQUESTS} requests of {name} were let through")

    def _committed(self) -> int:
        return int(self._stage.json("status")["events"]["committed"])

    def _refusal(self, secret: str) -> int:
        status = ask(self._url, secret).status
        return 0 if status == OK else status

    def _newest_alert(self, key_id: str) -> dict[str, Any]:
        alerts = self._stage.json("alerts", "list", "--key", key_id)
        acted = [one for one in alerts if one["action"] != "none"]
        return dict(acted[0])

    def _key(self, name: str) -> dict[str, Any]:
        return dict(self._stage.json("keys", "show", self._keys[name]["id"]))


def _outcome(alert: dict[str, Any], used: Used) -> dict[str, Any]:
    return {
        "severity": alert["severity"],
        "action": alert["action"],
        "status_after": used.status,
    }


def _proof(hit: dict[str, Any]) -> str:
    return str(hit["verdict"]["checksum"])


def _words(alert: dict[str, Any]) -> list[str]:
    evidence = [
        f"  {one['detector']}: {one['observed']}; {one['expected']}" for one in alert["evidence"]
    ]
    return [f"{alert['severity']}: {alert['summary']}", *evidence]
