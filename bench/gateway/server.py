"""The server under test: `server.py empty|gateway|auth URL LOG [REDIS]`; tells its address as it listens.

empty: an application that does nothing. gateway: the same one behind the gateway. auth: forward
authentication on /verify and /auth.
"""

import gc
import sys
from pathlib import Path

from database.transaction import open_database
from gateway.accesslog import AccessLog
from gateway.app import App, Gateway, Receive, Scope, Send
from gateway.instant import answering
from gateway.limits import Limit
from gateway.options import Options
from gateway.reader import Reader
from gateway.server import serve
from gateway.standalone import standalone
from keywatch.__main__ import GARBAGE
from keywatch.config import Settings
from keywatch.wiring import peppers, redactor

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"3")],
}
_BODY = {"type": "http.response.body", "body": b"ok\n"}
OPTIONS = Options(limits=(Limit("default", 1_000_000, 60),), trusted_proxies=("127.0.0.0/8",))


async def empty(scope: Scope, receive: Receive, send: Send) -> None:
    """The least that an application can do."""
    if scope["type"] == "lifespan":
        while (kind := (await receive())["type"]) != "lifespan.shutdown":
            await send({"type": f"{kind}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send(_START)
    await send(_BODY)


def main(what: str, url: str, log: str, redis: str = "") -> None:
    gc.set_threshold(*GARBAGE)
    app: App = empty
    protocol = None
    if what != "empty":
        chosen = Settings()
        # As `keywatch serve` has it: lines are cleaned of secrets before they are written.
        clean = redactor(chosen.scan, peppers(chosen))
        # Only its bell: limits and look-ups stay in this process.
        reader = Reader(open_database(url, create=False), redis=redis)
        sink = AccessLog(Path(log), clean)
        app = Gateway(empty, reader, OPTIONS, sink=sink)
    if what == "auth":
        faces = standalone(reader, OPTIONS, sink=sink)
        app, protocol = faces.app, answering(faces.instant)
    serve(app, "127.0.0.1", 0, lambda address: print(address, flush=True), protocol)


if __name__ == "__main__":
    main(*sys.argv[1:])
