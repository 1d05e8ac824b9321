"""A mail server that drips, or talks without end, holds nobody up."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest

from actions.notify.email import Email
from tests.actions.messages import message
from vocabulary.errors import ServiceError

NOW = 1_750_000_000.0
DRIP_S = 0.02


@contextmanager
def greeting(parts: Iterable[bytes], pause_s: float = 0.0) -> Iterator[tuple[int, list[bytes]]]:
    """Serve SMTP with such a greeting; whoever sits it out has its mail taken."""
    taken: list[bytes] = []
    stopped = Event()

    def talk(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer, suppress(OSError):
            for part in parts:
                peer.sendall(part)
                if pause_s and stopped.wait(pause_s):
                    return
            for line in peer.makefile("rb"):
                taken.append(line.upper())
                if taken[-1] == b"DATA\r\n":
                    peer.sendall(b"354 go on\r\n")
                elif line == b".\r\n" or b"DATA\r\n" not in taken:
                    peer.sendall(b"250 ok\r\n")
                elif b".\r\n" in taken:
                    peer.sendall(b"221 bye\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=talk, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1], taken
        finally:
            stopped.set()
            thread.join()


def email(port: int, timeout_s: float) -> Email:
    url = f"smtp://127.0.0.1:{port}"
    return Email(
        {"name": "m", "url": url, "sender": "a@b.example", "to": ("c@b.example",)}, timeout_s
    )


def test_who_greets_in_time_has_the_mail():
    with greeting([b"220 hello\r\n"]) as (port, taken):
        email(port, 10.0)(message(), "msg_1", NOW)
    assert b".\r\n" in taken


def test_a_server_that_drips_is_cut_off():
    drops = [bytes([byte]) for byte in b"220 " + b"x" * 100 + b"\r\n"]
    with greeting(drops, DRIP_S) as (port, taken):
        with pytest.raises(ServiceError, match="was not reached"):
            email(port, 0.5)(message(), "msg_1", NOW)
        assert taken == []


def test_a_reply_without_end_is_not_heard_out():
    endless = [b"220-" + b"x" * 500 + b"\r\n"] * 1000
    with greeting([*endless, b"220 hello\r\n"]) as (port, taken):
        with pytest.raises(ServiceError, match="was not reached"):
            email(port, 60.0)(message(), "msg_1", NOW)
        assert taken == []
