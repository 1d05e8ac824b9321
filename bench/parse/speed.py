"""Lines per second, on one core, of reading, parsing and making columns of an access log.

    python bench/parse/speed.py [--lines N] [--format NAME …]

The lines are made up: 400 keys, 1,000 paths, 10,000 addresses, 20 requests a second. `broken`
is the share of lines that are no events.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from streams import formats
from streams.columns import batch_of
from streams.parsed import Format
from streams.sources.file import FileSource

CHUNK = 16_384
AGENTS = [
    f"client-{number}/4.{number % 7} (linux; x86_64) python-requests/2.31" for number in range(50)
]


def events(count: int) -> list[dict[str, object]]:
    """Return requests, 20 a second."""
    draw = random.Random(7)
    start = datetime(2025, 11, 3, tzinfo=UTC)
    return [
        {
            "time": start + timedelta(seconds=number // 20),
            "key": f"key_{draw.randrange(400):016d}",
            "ip": f"198.51.{draw.randrange(40)}.{draw.randrange(250)}",
            "path": f"/v1/accounts/{draw.randrange(1000)}/invoices",
            "status": draw.choice((200, 200, 200, 201, 404)),
            "size": draw.randrange(20_000),
            "agent": draw.choice(AGENTS),
        }
        for number in range(count)
    ]


def combined(event: dict[str, object]) -> bytes:
    """Write a line as nginx and Apache do, with the key id behind it."""
    clock = f"{event['time']:%d/%b/%Y:%H:%M:%S %z}"
    return (
        f'{event["ip"]} - - [{clock}] "GET {event["path"]}?page=2 HTTP/1.1" {event["status"]} '
        f'{event["size"]} "-" "{event["agent"]}" "-" "{event["key"]}"'
    ).encode()


def nginx_json(event: dict[str, object]) -> bytes:
    """Write a line of nginx-json."""
    fields = {
        "time_iso8601": event["time"].isoformat(),
        "remote_addr": event["ip"],
        "request": f"GET {event['path']}?page=2 HTTP/1.1",
        "status": event["status"],
        "body_bytes_sent": event["size"],
        "http_user_agent": event["agent"],
        "request_id": f"{event['size']:032x}",
        "api_key_id": event["key"],
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def keywatch_json(event: dict[str, object]) -> bytes:
    """Write a line of keywatch-json."""
    fields = {name: event[name] for name in ("key", "ip", "path", "status", "size", "agent")}
    stamp = int(event["time"].timestamp() * 1000)
    return json.dumps({"ts_ms": stamp, "method": "GET", **fields}).encode()


WRITERS = {
    "nginx-json": nginx_json,
    "nginx-combined": combined,
    "apache-combined": combined,
    "keywatch-json": keywatch_json,
}


def rate(count: int, work: Callable[[], None]) -> float:
    """Return the best of three, in lines a second of CPU time: the machine may be shared."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return count / best


def chunks(lines: list[bytes]) -> list[list[bytes]]:
    """Cut the lines as a source would."""
    return [lines[at : at + CHUNK] for at in range(0, len(lines), CHUNK)]


def parse(log_format: Format, lines: list[bytes]) -> None:
    """Parse alone."""
    for chunk in chunks(lines):
        log_format.parse(chunk)


def whole(log_format: Format, path: Path) -> None:
    """Read, cut, parse and make columns."""
    with FileSource(path, follow=False) as source:
        source.open(None)
        while not source.done:
            chunk = source.read(CHUNK, 0.0)
            if chunk is not None:
                batch_of(log_format.parse(chunk.lines))


def main() -> None:
    """Print a row a format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--format", nargs="+", default=list(WRITERS), choices=list(WRITERS))
    arguments = parser.parse_args()
    made = events(arguments.lines)
    print(
        f"{'format':18}{'bytes/line':>11}{'parse/s':>10}{'1% broken/s':>13}{'file to batch/s':>17}"
    )
    for name in arguments.format:
        log_format = formats.find(name)
        lines = [WRITERS[name](event) for event in made]
        broken = [line[:40] if number % 100 == 0 else line for number, line in enumerate(lines)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "access.log"
            path.write_bytes(b"\n".join(lines))
            print(
                f"{name:18}{path.stat().st_size / len(lines):>11.0f}"
                f"{rate(len(lines), lambda: parse(log_format, lines)):>10.0f}"  # noqa: B023
                f"{rate(len(lines), lambda: parse(log_format, broken)):>13.0f}"  # noqa: B023
                f"{rate(len(lines), lambda: whole(log_format, path)):>17.0f}"  # noqa: B023
            )


if __name__ == "__main__":
    main()
