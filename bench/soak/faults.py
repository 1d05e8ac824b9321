"""What goes wrong in a soak: processes are killed, the database is locked, a receiver is away."""

import itertools
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOCKED_S = (1.0, 8.0)
AWAY_S = 10.0


class Part:
    """A command of keywatch that is started again when it was killed."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.words, self.folder, self.killed = words, folder, 0
        self.process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "keywatch", "--config", str(self.folder / "keywatch.toml")]
        with (self.folder / f"{self.words[0]}.out").open("ab") as out:
            return subprocess.Popen([*command, *self.words], stdout=out, stderr=out)

    def kill(self) -> None:
        """Kill it without a word, and start another."""
        self.process.kill()
        self.process.wait()
        self.killed += 1
        self.process = self._started()

    def end(self) -> int:
        """Ask it to end; return its code."""
        self.process.terminate()
        return self.process.wait(60)

    def resident_mib(self) -> float:
        """Return its memory; 0 where nobody can tell."""
        with suppress(OSError, StopIteration):
            said = Path(f"/proc/{self.process.pid}/status").read_text()
            row = next(one for one in said.splitlines() if one.startswith("VmRSS:"))
            return int(row.split()[1]) / 1024
        return 0.0


class Receiver:
    """Takes webhooks, is away now and then, and sometimes takes one without saying so."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.away_until, self.refused = 0.0, 0
        random_ = random.Random(7)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if time.monotonic() < receiver.away_until or random_.random() < 0.1:
                    receiver.refused += 1
                    self.send_error(503)
                    return
                name = str(self.headers["webhook-id"])
                receiver.taken[name] = receiver.taken.get(name, 0) + 1
                if random_.random() < 0.1:
                    self.close_connection = True  # taken, and not acknowledged
                    return
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_said: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Faults:
    """Does one thing after the other until it is stopped.

    Args:
        database: file of the database.
        parts: the processes that may be killed.
        receiver: of webhooks.
        turn_over: puts the log aside; is given a number.
        pause_s: seconds between two faults.
    """

    def __init__(
        self,
        database: Path,
        parts: list[Part],
        receiver: Receiver,
        turn_over: Callable[[int], None],
        pause_s: float,
    ) -> None:
        self.database, self.parts, self.receiver = database, parts, receiver
        self.turn_over, self.pause_s = turn_over, pause_s
        self.done = {"kills": 0, "locks": 0, "receiver away": 0, "log turned over": 0}
        self.kills, self.stopped = True, threading.Event()
        self._random = random.Random(11)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the fault of now."""
        self.stopped.set()
        self._thread.join()

    def _run(self) -> None:
        for number in itertools.count():
            if self.stopped.wait(self.pause_s):
                return
            (self._kill, self._lock, self._away, self._turn)[number % 4](number)

    def _kill(self, number: int) -> None:
        if self.kills:
            self.parts[number // 4 % len(self.parts)].kill()
            self.done["kills"] += 1

    def _lock(self, _number: int) -> None:
        """Hold the write lock for longer than writers wait patiently."""
        # SQLite deals the lock out by chance: on a busy machine one may wait for it very long.
        other = sqlite3.connect(self.database, timeout=600, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        self.stopped.wait(self._random.uniform(*LOCKED_S))
        other.execute("ROLLBACK")
        other.close()
        self.done["locks"] += 1

    def _away(self, _number: int) -> None:
        self.receiver.away_until = time.monotonic() + AWAY_S
        self.done["receiver away"] += 1

    def _turn(self, number: int) -> None:
        self.turn_over(number)
        self.done["log turned over"] += 1
