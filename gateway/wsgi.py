"""The gateway in front of a WSGI application (PEP 3333): Flask, Django, Pyramid.

The judge lives on an event loop in a thread of its own; each of the server's threads asks it and
waits. A server that forks its workers must make this after the fork, or be told not to preload.
"""

import asyncio
import atexit
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import Lock, Thread
from typing import Any
from urllib.parse import quote

from gateway.access import Sink
from gateway.app import Gateway, identity_of, ignore, tokens_in
from gateway.asked import Asked, Verdict
from gateway.extract import QUERY_NAMES, Header, without_secrets
from gateway.options import Clock, Options
from gateway.reader import Reader

Environ = dict[str, Any]
Start = Callable[..., Any]
Application = Callable[[Environ, Start], Iterable[bytes]]

_PATIENCE_S = 10.0
_REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests",
            431: "Request Header Fields Too Large", 503: "Service Unavailable"}  # fmt: skip


class WsgiGateway:
    """Checks the API key of each request before `inner` sees it.

    The application finds the key's id in `environ["HTTP_X_API_KEY_ID"]`.

    Args:
        inner: the application.
        reader: reads the key store; the gateway starts and stops it.
        options: the operator's.
        clock: epoch seconds.
        sink: where accesses are written to.
    """

    def __init__(
        self,
        inner: Application,
        reader: Reader,
        options: Options = Options(),  # noqa: B008  (frozen)
        clock: Clock = time.time,
        sink: Sink = ignore,
    ) -> None:
        self._inner, self._query_keys = inner, options.query_keys
        self._gateway = Gateway(_nothing, reader, options, clock, sink)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock, self._noting = Lock(), Lock()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Answer or pass on one request."""
        asked = _asked_of(environ)
        verdict = self._verdict(asked)
        note = _Note(self._gateway, asked, verdict, self._noting)
        if verdict.refusal is not None:
            refusal = verdict.refusal
            headers = _native([*refusal.headers, *verdict.headers])
            note.status, note.size = refusal.status, len(refusal.body)
            start(f"{refusal.status} {_REASONS.get(refusal.status, 'Refused')}", headers)
            note.close()
            return [refusal.body]
        try:
            inner = self._inner(self._passed_on(environ, verdict), note.starting(start))
        except BaseException:
            note.close()
            raise
        return _Counted(inner, note)

    def close(self) -> None:
        """End the thread; the next request would start it again."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._gateway.close(), loop).result(_PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)

    def _verdict(self, asked: Asked) -> Verdict:
        loop = self._running()
        return asyncio.run_coroutine_threadsafe(self._gateway.judge(asked), loop).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                Thread(
                    target=_run, args=(self._loop,), name="keywatch gateway", daemon=True
                ).start()
                atexit.register(self.close)
            return self._loop

    def _passed_on(self, environ: Environ, verdict: Verdict) -> Environ:
        """Return the request as the application sees it, without what only we may set."""
        passed = {name: value for name, value in environ.items() if not name.startswith("HTTP_")}
        for header, value in [*verdict.extracted.headers, *identity_of(verdict)]:
            key = "HTTP_" + header.decode("latin-1").upper().replace("-", "_")
            passed[key] = value.decode("latin-1")
        if self._query_keys:
            query = environ.get("QUERY_STRING", "").encode("latin-1")
            passed["QUERY_STRING"] = without_secrets(query, QUERY_NAMES).decode("latin-1")
            # Some servers keep the whole target beside it, with the key in it.
            for name in ("REQUEST_URI", "RAW_URI"):
                passed.pop(name, None)
        return passed


class _Note:
    """What the access log is told once the answer is through."""

    def __init__(self, gateway: Gateway, asked: Asked, verdict: Verdict, noting: Lock) -> None:
        self._gateway, self._asked, self._verdict = gateway, asked, verdict
        self._noting = noting
        self.status, self.size, self.tokens = 500, 0, 0

    def starting(self, start: Start) -> Start:
        more = _native(self._verdict.headers)

        def started(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:  # noqa: ANN401
            self.status = int(status[:3])
            if name := self._gateway.tokens_header:
                told = ((one.encode("latin-1"), value.encode("latin-1")) for one, value in headers)
                self.tokens = tokens_in(told, name)
            return start(status, [*headers, *more], *error)

        return started

    def close(self) -> None:
        if self.tokens:
            self._gateway.spent(self._verdict, self.tokens)
        with self._noting:  # what counts requests is made for one thread
            self._gateway.note(self._asked, self._verdict, self.status, self.size, self.tokens)


class _Counted:
    """The application's answer, counted as it goes by."""

    def __init__(self, inner: Iterable[bytes], note: _Note) -> None:
        self._inner, self._note = inner, note

    def __iter__(self) -> Iterator[bytes]:
        for part in self._inner:
            self._note.size += len(part)
            yield part

    def close(self) -> None:
        """Close the application's, as PEP 3333 asks for, whatever happened."""
        try:
            close = getattr(self._inner, "close", None)
            if close is not None:
                close()
        finally:
            self._note.close()


def _asked_of(environ: Environ) -> Asked:
    """Return a WSGI request as the judge reads it; environ has folded names and decoded path.

    A server folds `X_API_Key` and `X-API-Key` into one name and joins what came twice by commas:
    no key has a comma in it, so two keys are refused.
    """
    headers = [
        (name[5:].replace("_", "-").lower().encode("latin-1"), _bytes(value))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return Asked(
        environ["REQUEST_METHOD"],
        quote(_bytes(path), safe="/:@!$&'()*+,;=~-._").encode(),
        _bytes(environ.get("QUERY_STRING", "")),
        headers,
        environ.get("REMOTE_ADDR", ""),
        environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        # It is the application's to read: keys for some models alone are for the ASGI face.
        has_body=False,
    )


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def _native(headers: Iterable[Header]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.close()


async def _nothing(*_: Any) -> None:  # noqa: ANN401
    """Stand where an ASGI application would be: nothing is passed on to it."""
