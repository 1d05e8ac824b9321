"""`keywatch serve all`: each part a process of its own; one that dies is started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from database.engine import engine_of, sqlite_file
from keywatch.config import Settings
from vocabulary.errors import ExitCode

LOOK_S = 0.1
_FIRST_REST_S, _LONGEST_REST_S = 0.5, 30.0
_WELL_S = 60.0
"""A part that has run for so long is not held to have failed from the start."""
_PATIENCE_S = 15.0


@dataclass(slots=True)
class _Part:
    """A process that should run, and how it has fared."""

    name: str
    command: Sequence[str]
    process: "subprocess.Popen[bytes] | None" = None
    began: float = 0.0
    rest_s: float = _FIRST_REST_S
    due: float = field(default=0.0)


def supervise(
    commands: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    tell: Callable[[str], None],
    stop: Event,
) -> int:
    """Run the parts until `stop` is set; return 0, or the code of one that cannot run at all.

    Args:
        commands: name → program and arguments.
        environ: of each of them.
        tell: takes sentences for the operator.
        stop: set it to end them all.
    """
    parts = [_Part(name, command) for name, command in commands.items()]
    try:
        while not stop.is_set():
            now = time.monotonic()
            for part in parts:
                if part.process is None and now >= part.due:
                    _start(part, environ, now)
                code = part.process.poll() if part.process else None
                if code == ExitCode.USAGE:
                    return int(code)
                if code is not None:
                    _rest(part, code, now, tell)
            stop.wait(LOOK_S)
        return int(ExitCode.OK)
    finally:
        _end([part.process for part in parts if part.process])


def _start(part: _Part, environ: Mapping[str, str], now: float) -> None:
    # a group of its own: Ctrl-C in a terminal reaches us alone, and we end them in order
    part.process = subprocess.Popen(part.command, env=dict(environ), start_new_session=True)
    part.began = now


def _rest(part: _Part, code: int, now: float, tell: Callable[[str], None]) -> None:
    """Note that a part has ended, and when it is started again."""
    if now - part.began >= _WELL_S:
        part.rest_s = _FIRST_REST_S
    tell(f"the {part.name} has ended ({_why(code)}); it is started again in {part.rest_s:g} s")
    part.process, part.due = None, now + part.rest_s
    part.rest_s = min(2 * part.rest_s, _LONGEST_REST_S)


def _end(processes: "Sequence[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    end = time.monotonic() + _PATIENCE_S
    for process in processes:
        try:
            process.wait(max(end - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _why(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def keywatch_command(options: Sequence[str], *words: str) -> list[str]:
    """Return the command line of another keywatch with the same global options."""
    return [sys.executable, "-m", "keywatch", *options, *words]


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the parts: what the gateway lets in, the pipeline watches.

    Without a configured file of events one beside the SQLite file is taken.
    """
    environ = dict(os.environ)
    file = sqlite_file(engine_of(settings.database))
    if file is not None and not settings.gateway.events and not settings.sources:
        environ["KEYWATCH_GATEWAY_EVENTS"] = str(Path(f"{file.resolve()}.events"))
    return environ
