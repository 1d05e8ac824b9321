"""What the gateway's faces add to a server's own handling of HTTP: microseconds of processor time.

    .venv/bin/python bench/gateway/wire.py [--rounds 300] [--protocols ours httptools h11 verify]

Requests are fed to uvicorn's protocols as bytes, without sockets; an empty application and the same
one behind the gateway (one limit, an access log that is cleaned) take turns, many short rounds
each. `verify` is the question of a proxy, beside one fixed answer. Printed are the best round of each, and the median of the differences of neighbours.
"""

import argparse
import asyncio
import gc
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop
from server import GARBAGE, OPTIONS, empty
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from database.transaction import open_database
from gateway.accesslog import AccessLog
from gateway.app import App, Gateway
from gateway.instant import Instant, answering
from gateway.reader import Reader
from gateway.server import config_of
from gateway.standalone import standalone
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.config import Settings
from keywatch.wiring import peppers, redactor

Protocol = H11Protocol | HttpToolsProtocol
CONNECTIONS, REQUESTS = 32, 8
"""A round: so many connections, and so many requests on each."""


class Nowhere(asyncio.Transport):
    """A transport that forgets what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.last = b""

    def write(self, data: bytes) -> None:
        """Remember the last of it, for who wants to see."""
        self.last = data

    def close(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""

    def is_closing(self) -> bool:
        """It never is."""
        return False

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


def configured(app: App, protocol: str) -> Config:
    if protocol == "ours":
        return config_of(app)
    kind = {"h11": H11Protocol, "httptools": HttpToolsProtocol}[protocol]
    # What a user runs who asks for speed: no log of the server's own.
    return Config(app, http=kind, access_log=False, proxy_headers=False, log_level="error")


def opened(app: App, protocol: str, instant: Instant | None = None) -> list[Protocol]:
    config = configured(app, protocol)
    if instant is not None:
        config = config_of(app, answering(instant))
    config.load()
    found = []
    for _ in range(CONNECTIONS):
        one = config.http_protocol_class(config, ServerState(), {}, asyncio.get_running_loop())
        one.connection_made(Nowhere())
        found.append(one)
    return found


async def round_of(opened: list[Protocol], requests: list[bytes]) -> float:
    begin, at = time.thread_time(), 0
    for _ in range(REQUESTS):
        for one in opened:
            one.data_received(requests[at % len(requests)])
            at += 1
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return time.thread_time() - begin


async def alternating(
    apps: dict[str, App], protocol: str, requests: list[bytes], rounds: int
) -> dict[str, float]:
    return await by_turns(
        {name: opened(app, protocol) for name, app in apps.items()}, requests, rounds
    )


async def by_turns(
    sides: dict[str, list[Protocol]], requests: list[bytes], rounds: int
) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            spent[name].append(1e6 * await round_of(side, requests) / CONNECTIONS / REQUESTS)
            await asyncio.sleep(0.001)  # the key store must be heard of now and then
    for side in sides.values():
        assert all(one.cycle is None or one.cycle.response_complete for one in side)
    one, other = spent.values()
    differences = [b - a for a, b in zip(one, other, strict=True)]
    return {
        **{f"{name}_us": round(min(values), 2) for name, values in spent.items()},
        "adds_us": round(min(other) - min(one), 2),
        "adds_median_us": round(statistics.median(differences), 2),
    }


async def once_each(one: Protocol, requests: list[bytes]) -> None:
    """Have each key looked up."""
    for request in requests:
        one.data_received(request)
        while not one.cycle.response_complete:  # noqa: ASYNC110  (it tells nobody)
            await asyncio.sleep(0.001)


async def asking(
    reader: Reader, sink: AccessLog, secrets: list[str], rounds: int
) -> dict[str, float]:
    """Measure what answers a proxy that asks about keys in memory."""
    faces = standalone(reader, OPTIONS, sink=sink)
    requests = [request_of(one, "/verify") for one in secrets]
    fixed = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    asked = opened(faces.app, "ours", faces.instant)
    try:
        await once_each(opened(faces.app, "ours")[0], requests)
        sides = {"fixed": opened(empty, "ours", lambda *_: fixed), "verify": asked}
        found = await by_turns(sides, requests, rounds)
        assert not any(one.cycle for one in asked), "some had to wait: ask again"
    finally:
        await faces.gateway.close()
    return found


def request_of(secret: str, path: str = "/v1/things") -> bytes:
    head = f"GET {path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: wrk\r\nAccept: */*\r\n"
    return f"{head}X-API-Key: {secret}\r\n\r\n".encode()


async def measure(url: str, log: Path, options: argparse.Namespace) -> dict[str, Any]:
    store = KeyStore(open_database(url))
    issued = store.create_many([KeyOrder()] * options.keys, actor="bench")
    chosen = Settings()
    sink = AccessLog(log, redactor(chosen.scan, peppers(chosen)))
    gateway = Gateway(empty, Reader(open_database(url)), OPTIONS, sink=sink)
    requests = [request_of(one.secret) for one in issued]
    result = {}
    try:
        for protocol in options.protocols:
            if protocol == "verify":
                secrets = [one.secret for one in issued]
                reader = Reader(open_database(url))
                result[protocol] = await asking(reader, sink, secrets, options.rounds)
                continue
            apps: dict[str, App] = {"empty": empty, "gateway": gateway}
            await once_each(opened(gateway, protocol)[0], requests)
            result[protocol] = await alternating(apps, protocol, requests, options.rounds)
    finally:
        await gateway.close()
        sink.close()
    return result


def main() -> None:
    gc.set_threshold(*GARBAGE)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--keys", type=int, default=500)
    parser.add_argument("--protocols", nargs="+", default=["ours", "httptools", "h11", "verify"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(f"sqlite:///{folder}/keys.db", Path(folder) / "log", options)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(measured), indent=2))


if __name__ == "__main__":
    main()
