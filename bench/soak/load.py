"""The load of a soak: lines in a log that turns over, batches by HTTP, requests to the gateway."""

import http.client
import itertools
import sqlite3
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from live import line

BROKEN_EVERY = 997
BATCH = 200
STEP_S = 0.05
HEARD_S = 2.0
"""So long after its revocation a gateway may still let a key through; then it counts as wrong."""

LOOK_S = 0.5


@dataclass
class Counted:
    """What was sent, and what the gateway answered; written by one thread a field."""

    logged: int = 0
    broken: int = 0
    posted: int = 0
    repeated: int = 0
    exposed: list[tuple[float, str]] = field(default_factory=list)
    asked: int = 0
    unanswered: int = 0
    wrong: list[str] = field(default_factory=list)
    locked_out_s: list[float] = field(default_factory=list)


class Load:
    """Three threads that go on until they are stopped.

    Args:
        folder: where the log is.
        key_ids: of ordinary traffic; the gateway is asked with the first one's secret.
        alive: a secret that is never exposed.
        doomed: secrets that are exposed one after the other, and the ids of their keys.
        ports: of the gateway and of the intake; they stay the same over restarts.
        pace: lines a second, and seconds between two exposures.
    """

    def __init__(
        self,
        folder: Path,
        key_ids: list[str],
        alive: str,
        doomed: dict[str, str],
        ports: tuple[int, int],
        pace: tuple[int, float],
    ) -> None:
        self.log, self.key_ids, self.alive, self.doomed = (
            folder / "access.log",
            key_ids,
            alive,
            doomed,
        )
        self.database = folder / "keywatch.db"
        self.gateway, self.intake = ports
        self.rate, self.every_s = pace
        self.counted, self.stopped = Counted(), threading.Event()
        self._turn = threading.Lock()
        work = (self._write, self._post, self._ask)
        self._threads = [threading.Thread(target=one, daemon=True) for one in work]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what was begun is finished."""
        self.stopped.set()
        for thread in self._threads:
            thread.join()

    def turn_over(self, number: int) -> None:
        """Put the log aside and begin another, as logrotate does."""
        with self._turn:
            self.log.rename(self.log.with_name(f"access.log.{number}"))
            self.log.touch()

    def _write(self) -> None:
        each, doomed = max(1, round(self.rate * STEP_S)), iter(self.doomed)
        due = expose_at = time.monotonic()
        numbers = itertools.count(1)
        while not self.stopped.is_set():
            lines = []
            for _ in range(each):
                n = next(numbers)
                if n % BROKEN_EVERY == 0:
                    lines.append(b"{broken\n")
                    self.counted.broken += 1
                else:
                    which = n % len(self.key_ids)
                    where = f"91.10.{which % 250}.{1 + n % 2}"
                    lines.append(line(self.key_ids[which], f"/v1/orders/{n % 500}", where))
            if time.monotonic() >= expose_at and (secret := next(doomed, "")):
                lines.append(line("", f"/v1/orders?api_key={secret}", "91.10.24.12"))
                self.counted.exposed.append((time.monotonic(), secret))
                expose_at += self.every_s
            with self._turn, self.log.open("ab", buffering=0) as file:
                file.write(b"".join(lines))
            self.counted.logged += len(lines)
            due += STEP_S
            self.stopped.wait(max(0.0, due - time.monotonic()))

    def _post(self) -> None:
        """Post a batch a second until it is acknowledged; every third one twice."""
        for n in itertools.count():
            if self.stopped.wait(1.0):
                return
            body = b"".join(
                line(self.key_ids[i % len(self.key_ids)], "/v1/items", "91.11.2.3")
                for i in range(BATCH)
            )
            self._insist(f"soak-{n}", body)
            self.counted.posted += BATCH
            if n % 3 == 0:
                self._insist(f"soak-{n}", body)
                self.counted.repeated += 1

    def _insist(self, name: str, body: bytes) -> None:
        headers = {"Authorization": "Bearer of a soak", "Idempotency-Key": name}
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.intake, timeout=40)
            with suppress(OSError, http.client.HTTPException):
                connection.request("POST", "/events", body, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == http.client.OK:
                    return
            connection.close()
            time.sleep(0.2)

    def _ask(self) -> None:
        """Ask the gateway with a key that works, and with the one that was revoked last."""
        revoked: dict[str, float] = {}
        looked = 0.0
        while not self.stopped.wait(0.05):
            now = time.monotonic()
            if now - looked > LOOK_S:
                looked = now
                self._note(revoked, now)
            gone = [key for key, at in revoked.items() if now - at > HEARD_S][-1:]
            secrets = [s for s, key in self.doomed.items() if key in gone]
            for secret, expected in ((self.alive, 200), *((s, 401) for s in secrets)):
                status = self._answer(secret)
                self.counted.asked += 1
                self.counted.unanswered += status == 0
                if status not in (0, expected):
                    self.counted.wrong.append(f"{status} instead of {expected}")

    def _note(self, revoked: dict[str, float], now: float) -> None:
        """Note which keys the key store has as revoked since it was looked at last."""
        exposed = {self.doomed[secret]: at for at, secret in self.counted.exposed}
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(self.database)) as store:
            for (key,) in store.execute("SELECT id FROM keys WHERE state = 'revoked'"):
                if key not in revoked:
                    revoked[key] = now
                    self.counted.locked_out_s.append(now - exposed[key])

    def _answer(self, secret: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway, timeout=5)
        try:
            connection.request("GET", "/verify", headers={"Authorization": f"Bearer {secret}"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
