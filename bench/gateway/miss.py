"""What a key costs that is not in the cache: from the question to the answer, percentiles in ms.

    .venv/bin/python bench/gateway/miss.py [--url postgresql://…] [--keys 100000] [--asked 3000]

Without a URL a PostgreSQL of its own is started (apt-get install postgresql), and ended.
"""

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from load import fill, secrets

from database.transaction import open_database
from gateway.app import Gateway
from gateway.asked import Asked
from gateway.options import Options
from gateway.reader import Reader

SCRIPT = Path(__file__).parents[2] / "tests" / "services" / "postgres.sh"


async def nowhere(*_: object) -> None:
    """Stand where an application would be."""


async def asked_for(url: str, names: list[str], at_once: int) -> list[float]:
    """Return seconds for each key, so many of them asked for at once."""
    gateway = Gateway(nowhere, Reader(open_database(url)), Options())

    async def one(name: str) -> float:
        asked = Asked("GET", b"/", b"", [(b"x-api-key", name.encode())], "127.0.0.1")
        begin = time.perf_counter()
        verdict = await gateway.judge(asked)
        spent = time.perf_counter() - begin
        if verdict.refusal is not None:
            raise SystemExit(f"a good key was refused: {verdict.refusal.code}")
        return spent

    found: list[float] = []
    await one(names.pop())  # it starts the gateway
    for start in range(0, len(names), at_once):
        found += await asyncio.gather(*map(one, names[start : start + at_once]))
    await gateway.close()
    return found


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    places = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99}
    return {
        name: round(1000 * ordered[int(q * (len(ordered) - 1))], 3) for name, q in places.items()
    }


def measure(url: str, options: argparse.Namespace) -> dict[str, Any]:
    names = secrets(options.keys)
    fill(url, names).engine.dispose()
    step = max(1, len(names) // options.asked)
    third = names[::step]
    parts = {1: third[0::2], 8: third[1::2]}
    return {
        f"at_once_{at_once}": percentiles(asyncio.run(asked_for(url, part, at_once)))
        for at_once, part in parts.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="")
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=3000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        service = [str(SCRIPT), "start", str(Path(folder) / "pg")]
        url = (
            options.url
            or subprocess.run(service, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        )
        try:
            result = {
                "postgresql": measure(url, options),
                "sqlite": measure(f"sqlite:///{folder}/keys.db", options),
            }
        finally:
            if not options.url:
                subprocess.run([service[0], "stop", service[2]], check=True)
    print(json.dumps({"load": os.getloadavg()[0], "keys": options.keys, **result}, indent=2))


main()
