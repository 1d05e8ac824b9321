"""What a hot key takes of memory: the growth of the process from some hot keys to many more.

    .venv/bin/python bench/gateway/memory.py [--hot 60000]

Each key is asked for once, its limit counted; keys differ in all that they usually differ in. The
first tenth is left out: what the process takes anyway is in it. Prints bytes a key, by the
process's resident set and by what Python itself says it holds.
"""

import argparse
import asyncio
import gc
import json
import os
import tempfile
import tracemalloc
from pathlib import Path

from load import fill, rss, secrets

from database.transaction import open_database
from gateway.app import Gateway
from gateway.asked import Asked
from gateway.limits import Limit
from gateway.options import Options
from gateway.reader import Reader

AT_ONCE = 50


async def nowhere(*_: object) -> None:
    """Stand where an application would be."""


async def ask(gateway: Gateway, names: list[str]) -> None:
    async def one(name: str) -> None:
        asked = Asked("GET", b"/", b"", [(b"x-api-key", name.encode())], "127.0.0.1")
        assert (await gateway.judge(asked)).refusal is None

    for start in range(0, len(names), AT_ONCE):
        await asyncio.gather(*map(one, names[start : start + AT_ONCE]))


async def measure(url: str, names: list[str], *, traced: bool) -> float:
    options = Options(limits=(Limit("default", 1_000_000, 60),))
    gateway = Gateway(nowhere, Reader(open_database(url)), options)
    tenth = len(names) // 10
    await ask(gateway, names[:tenth])
    gc.collect()
    if traced:
        tracemalloc.start(1)
    before = tracemalloc.get_traced_memory()[0] if traced else rss(os.getpid())
    await ask(gateway, names[tenth:])
    gc.collect()
    after = tracemalloc.get_traced_memory()[0] if traced else rss(os.getpid())
    await gateway.close()
    return round((after - before) / (len(names) - tenth))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hot", type=int, default=60_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url, names = f"sqlite:///{Path(folder) / 'keys.db'}", secrets(options.hot)
        fill(url, names).engine.dispose()
        resident = asyncio.run(measure(url, names, traced=False))
        held = asyncio.run(measure(url, names[: options.hot // 4], traced=True))
    print(json.dumps({"hot": options.hot, "resident_bytes": resident, "held_bytes": held}))


main()
