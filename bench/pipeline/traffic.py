"""Write an nginx-json access log of many keys, for benches: `traffic.py KEYS EVENTS FILE`."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

START = datetime(2026, 3, 2, tzinfo=UTC)
PATHS = [f"/v1/{noun}/{n}" for noun in ("orders", "customers", "items") for n in range(200)]
AGENTS = ("python-requests/2.32.3", "okhttp/4.12.0", "Go-http-client/2.0", "curl/8.5.0")


def lines(keys: int, events: int, seed: int = 1, hours: float = 48.0) -> Iterator[str]:
    """Yield the log in time order; keys are used evenly, each from two addresses of its own."""
    random = np.random.default_rng(seed)
    chunk = 100_000
    step_ms = hours * 3_600_000 / events
    for begin in range(0, events, chunk):
        n = min(chunk, events - begin)
        key = random.integers(0, keys, n)
        host = 1 + random.integers(0, 2, n)
        path = random.integers(0, len(PATHS), n)
        status = np.where(random.random(n) < 0.97, 200, 404)
        size = random.integers(80, 20_000, n)
        for i in range(n):
            at = START + timedelta(milliseconds=int((begin + i) * step_ms))
            k, h = int(key[i]), int(host[i])
            yield (
                f'{{"time_iso8601":"{at.isoformat(timespec="milliseconds")}",'
                f'"remote_addr":"{11 + k % 180}.{k // 180 % 250}.{k // 45000 % 250}.{h}",'
                f'"request":"GET {PATHS[path[i]]} HTTP/1.1","status":{status[i]},'
                f'"body_bytes_sent":{size[i]},"http_user_agent":"{AGENTS[k % 4]}",'
                f'"request_id":"{begin + i:032x}","api_key_id":"key_{k:07d}"}}\n'
            )


def write(keys: int, events: int, file: Path) -> Path:
    """Write the log to `file` unless it is there already."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as out:
            out.writelines(lines(keys, events))
    return file


if __name__ == "__main__":
    write(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
