"""An HTTP server (uvicorn) for an ASGI application: tells its address, ends on SIGTERM."""

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from gateway.app import App
from gateway.bounded import KEEP_ALIVE_S, BoundedProtocol
from vocabulary.errors import ServiceError

_GRACE_S = 5
_SWITCH_S = 0.0005

_BACKLOG = 2048


def serve(
    app: App,
    host: str,
    port: int,
    announce: Callable[[str], None],
    protocol: "type[BoundedProtocol] | None" = None,
    *,
    tls: tuple[str, str] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first.

    Args:
        app: ASGI, with lifespan.
        host: address to listen on.
        port: 0 for a free one.
        announce: called with the URL once it listens.
        protocol: see `gateway.instant.answering`.
        tls: PEM files of a certificate and its key; None for plain HTTP.

    Raises:
        ServiceError: when the address cannot be had.
    """
    listener = listening(host, port)
    config = config_of(app, protocol)
    if tls:
        config.ssl_certfile, config.ssl_keyfile = tls
    url = _url(listener, "https" if tls else "http")
    # The thread that reads the key store waits this long for each turn while requests press: a
    # revocation needs a dozen of them.
    sys.setswitchinterval(_SWITCH_S)
    _Server(config, lambda: announce(url)).run([listener])


def config_of(app: App, protocol: "type[BoundedProtocol] | None" = None) -> uvicorn.Config:
    """Return how an application is served: bounded heads, and nobody believed by default."""
    return uvicorn.Config(
        app,
        http=protocol or BoundedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        # Not for each malformed request a line: who sends them must not fill the disk.
        log_level="error",
        # Whom to believe about the client is the gateway's own choice.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take a signal as the order to end; uvicorn would die of it again afterwards."""
        before = {name: signal.signal(name, self.handle_exit) for name in _SIGNALS}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 is a free one.

    Raises:
        ServiceError: when the address cannot be had.
    """
    listener = None
    try:
        family, kind, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Named TCP in so many words: asyncio sets TCP_NODELAY on nothing else, and without it an
        # answer of two writes waits 40 ms for the client's delayed ACK.
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise ServiceError(
            f"cannot listen: {error.strerror or error}",
            where=f"{host}:{port}",
            remedy="choose another --port, or stop what uses this one",
        ) from None
    return listener


def _url(listener: socket.socket, scheme: str = "http") -> str:
    host, port, *_ = listener.getsockname()
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
