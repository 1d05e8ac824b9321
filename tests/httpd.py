"""A real HTTP server on this machine that answers as a test says and keeps what it was asked."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Httpd:
    url: str = ""
    asked: list[Asked] = field(default_factory=list)


Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def serving(
    answer: Callable[[Asked], Reply], context: ssl.SSLContext | None = None
) -> Iterator[Httpd]:
    """Serve on a free port; `answer` may raise, then the connection ends without an answer.

    Args:
        answer: what is said to a request.
        context: of TLS; the URL says http all the same.
    """
    kept = Httpd()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self):
            length = int(self.headers.get("Content-Length") or 0)
            told = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, told, self.rfile.read(length))
            if len(asked.body) < length:
                raise ConnectionAbortedError  # who asked was killed half-way: no request
            kept.asked.append(asked)
            status, headers, body = answer(asked)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_LIST = handle_any  # noqa: N815

        def log_message(self, *_arguments):
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_arguments):
            """Say nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
