"""From the commit of a revocation to the gateway's first refusal, by each way that tells of it.

    .venv/bin/python bench/gateway/lockout.py [--keys 20000] [--hot 5000] [--rounds 100]

SQLite (looked at every 20 ms), PostgreSQL (NOTIFY), and either with a Redis that rings; idle, and
under full load by wrk. Servers are started and ended here (apt-get install wrk postgresql redis).
Prints one JSON document.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from load import fill, load, lockout, secrets, serving, under_load

from keystore.bells import ringing_redis

SERVICES = Path(__file__).parents[2] / "tests" / "services"


@contextmanager
def service(name: str, folder: Path) -> Iterator[str]:
    """Start PostgreSQL or Redis, and yield its URL."""
    script, place = str(SERVICES / f"{name}.sh"), str(folder / name)
    started = subprocess.run(
        [script, "start", place], check=True, stdout=subprocess.PIPE, text=True
    )
    try:
        yield started.stdout.strip()
    finally:
        subprocess.run([script, "stop", place], check=True)


def measure(url: str, redis: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one way."""
    names = secrets(options.keys)
    store = fill(url, names)
    hot = random.Random(1).sample(names, options.hot)
    ringing = ringing_redis(store.engine, redis) if redis else nullcontext()
    with ringing, serving("auth", url, folder, redis) as server:
        load(server, folder, hot, 5, ordered=True)

        def act() -> dict[str, Any]:
            return lockout(server, store, options.rounds)

        found = {"idle": act(), "under_load": under_load(server, folder, hot, act)}
    store.engine.dispose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=20_000)
    parser.add_argument("--hot", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        redis = stack.enter_context(service("redis", folder))
        for how, bell in (("", ""), (" and Redis", redis)):
            database = f"sqlite:///{folder / f'keys{bool(bell)}.db'}"
            result[f"SQLite{how}"] = measure(database, bell, folder, options)
            with service("postgres", folder) as url:
                result[f"PostgreSQL{how}"] = measure(url, bell, folder, options)
            subprocess.run(["rm", "-rf", str(folder / "postgres")], check=True)
    print(json.dumps({"load": os.getloadavg()[0], "keys": options.keys, **result}, indent=2))


main()
