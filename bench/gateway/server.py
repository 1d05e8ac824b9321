"""The server under test: `server.py empty|gateway URL LOG`; tells its address as it listens."""

import sys
from pathlib import Path

from database.transaction import open_database
from gateway.accesslog import AccessLog
from gateway.app import App, Gateway, Receive, Scope, Send
from gateway.limits import Limit
from gateway.options import Options
from gateway.reader import Reader
from gateway.server import serve

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"3")],
}
_BODY = {"type": "http.response.body", "body": b"ok\n"}


async def empty(scope: Scope, receive: Receive, send: Send) -> None:
    """The least that an application can do."""
    if scope["type"] == "lifespan":
        while (kind := (await receive())["type"]) != "lifespan.shutdown":
            await send({"type": f"{kind}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send(_START)
    await send(_BODY)


def main(what: str, url: str, log: str) -> None:
    app: App = empty
    if what == "gateway":
        options = Options(limits=(Limit("default", 1_000_000, 60),))
        reader = Reader(open_database(url, create=False))
        app = Gateway(empty, reader, options, sink=AccessLog(Path(log)))
    serve(app, "127.0.0.1", 0, lambda address: print(address, flush=True))


main(*sys.argv[1:])
