"""Access logs of a small fleet, for tests of commands that learn from history."""

import json
import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 9, 7, tzinfo=UTC)
HOMES = ("8.8.8.8", "1.1.1.1", "9.9.9.9", "193.0.6.139")


def line(at, key, ip, path="/v1/orders", agent="acme-cli/2.3.1", status=200, size=512):
    """Make a line of the nginx-json format."""
    return json.dumps(
        {
            "time_iso8601": at.isoformat(timespec="milliseconds"),
            "remote_addr": ip,
            "request": f"GET {path} HTTP/1.1",
            "status": status,
            "body_bytes_sent": size,
            "http_user_agent": agent,
            "request_id": "",
            "api_key_id": key,
        }
    )


def ordinary(days, keys=6, seed=1, hours=range(24), per_hour=6):
    """Yield lines of keys that are used every hour of every day, in order of time."""
    rng = random.Random(seed)
    for day in range(days):
        for hour in hours:
            begin = START + timedelta(days=day, hours=hour)
            for second in sorted(rng.uniform(0, 3600) for _ in range(keys * per_hour)):
                which = rng.randrange(keys)
                at = begin + timedelta(seconds=second)
                path = f"/v1/orders/{rng.randrange(30)}"
                yield line(at, f"key_{which}", HOMES[which % len(HOMES)], path)


def theft(day, key="key_0", count=200, ip="45.55.100.7"):
    """Yield lines of a thief, two seconds apart."""
    for i in range(count):
        at = START + timedelta(days=day, seconds=2 * i)
        yield line(at, key, ip, f"/v1/admin/{i % 9}", "Go-http-client/2.0")


def surge(day, key="key_0", count=16):
    """Yield lines of a key that is used somewhat more than usual, by its owner."""
    for i in range(count):
        at = START + timedelta(days=day, hours=10, seconds=30 * i)
        yield line(at, key, HOMES[int(key[-1]) % len(HOMES)], f"/v1/orders/{i % 30}")
