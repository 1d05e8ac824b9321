"""A temporary place with a database, and keywatch's own commands run in it as a user would."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vocabulary.errors import KeywatchError, ServiceError

PATIENCE_S = 180.0
POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answered."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder, and the environment in which commands run there."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration file of the tour."""
        return self.folder / "keywatch.toml"

    def run(self, *words: str, expect: tuple[int, ...] = (0,)) -> str:
        """Run a keywatch command to its end and return what it printed.

        Raises:
            ServiceError: when it ends with an exit code that is not expected.
        """
        return self.ended(self.begin(*words), words, expect)

    def begin(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command; what it prints is kept for `ended`."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self._command(words), env=_environ(), cwd=self.folder, stdout=pipe, stderr=pipe
        )

    def ended(
        self, process: "subprocess.Popen[bytes]", words: tuple[str, ...], expect: tuple[int, ...]
    ) -> str:
        """Wait for the end of a command and return what it printed; raises as `run` does."""
        out, err = process.communicate()
        if process.returncode not in expect:
            raise ServiceError(
                f"`keywatch {' '.join(words)}` ended with {process.returncode}: "
                f"{err.decode(errors='replace').strip()[-500:]}"
            )
        return out.decode()

    def json(self, *words: str, expect: tuple[int, ...] = (0,)) -> Any:  # noqa: ANN401
        """Run a command with --json and return what it says."""
        return json.loads(self.run(*words, "--json", expect=expect))

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Keep a command running for the length of the block, then stop it with SIGTERM."""
        log = self.folder / f"{words[0]}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                self._command(words), env=_environ(), cwd=self.folder, stdout=out, stderr=out
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def said(self, words: str, text: str, process: "subprocess.Popen[bytes]") -> str:
        """Wait until a running command has printed a line with `text`, and return the line."""
        log = self.folder / f"{words}.log"

        def line() -> str:
            if process.poll() is not None:
                raise ServiceError(f"`keywatch {words}` ended: {log.read_text()[-500:]}")
            lines = log.read_text(errors="replace").splitlines()
            return next((line for line in lines if text in line), "")

        return str(wait_for(line, f"`keywatch {words}` to say {text!r}"))

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "keywatch", "--config", str(self.config), *words]


def wait_for(look: Callable[[], Any], what: str) -> Any:  # noqa: ANN401
    """Look again and again until there is something to see, and return it.

    Raises:
        ServiceError: when there was not for `PATIENCE_S`.
    """
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if seen := look():
            return seen
        time.sleep(POLL_S)
    raise ServiceError(f"waited {PATIENCE_S:.0f} s in vain for {what}")


def ask(url: str, key: str, *, host: str = "", agent: str = "demo/1.0") -> Answer:
    """Send one request with a key, as a client at address `host` would through a proxy."""
    headers = {"Authorization": f"Bearer {key}", "User-Agent": agent}
    if host:
        headers["X-Forwarded-For"] = host
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (a loopback URL of ours)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return Answer(answer.status, dict(answer.headers))
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, dict(refused.headers))
    except OSError as error:
        raise ServiceError(f"the gateway does not answer: {error}", where=url) from error


@contextmanager
def stage() -> Iterator[Stage]:
    """Make the temporary place; it is gone when the block ends."""
    try:
        with tempfile.TemporaryDirectory(prefix="keywatch-demo-") as folder:
            yield Stage(Path(folder))
    except OSError as error:
        raise KeywatchError(f"the tour needs a temporary folder: {error.strerror}") from error


def _environ() -> dict[str, str]:
    """Return the environment without settings of keywatch and git that would change the tour."""
    foreign = ("KEYWATCH_", "GIT_")
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)} | {
        "PYTHONUNBUFFERED": "1"
    }
