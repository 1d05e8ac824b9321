"""Access log lines by syslog, over UDP or TCP.

RFC 5424 and its forerunner RFC 3164; framing of RFC 6587 over TCP, RFC 5426 over UDP. Neither knows
an acknowledgement: what is on its way when this ends is lost. Where that matters there are files,
HTTP and Kafka.
"""

import contextlib
import re
import selectors
import socket
import time
from collections.abc import Callable
from secrets import token_hex

from streams.checkpoint import Position
from streams.chunk import Chunk
from streams.parsed import MAX_LINE
from streams.sources import datagrams
from streams.sources.closing import Closing
from vocabulary.errors import ServiceError

MAX_PEERS = 256
IDLE_S = 600.0
_READ = 64 * 1024
_BURST = 4096
_MOST_BYTES = 8 << 20
"""Taken in at one reading, about: the memory that large packets can take."""
_TELL_S = 60.0
_LENGTH = re.compile(rb"\A([1-9][0-9]{0,7}) (?=<)")
_END = re.compile(rb"[\n\0]")
_PRI = rb"<[0-9]{1,3}>"
# VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID, then structured data, then the message.
_RFC5424 = re.compile(
    _PRI + rb'1(?: [^ ]{1,255}+){5} (?:-|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*+")*+\])++)(?: |$)'
)
_RFC3164 = re.compile(
    _PRI
    + rb"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} |[0-9-]{10}T[^ ]{8,30}+ )?(?:[^ :\[]{1,255}+ )?"
    rb"[^ :\[]{1,48}+(?:\[[^\]]{0,20}+\])?: ?"
)
_BOM = b"\xef\xbb\xbf"


def message_of(packet: bytes) -> bytes:
    """Return the message of a syslog packet; one that is none is given back as it is."""
    found = _RFC5424.match(packet) or _RFC3164.match(packet)
    text = packet[found.end() :] if found else packet
    return text.removeprefix(_BOM).rstrip(b"\r\n\0").replace(b"\n", b" ")


class _Peer:
    """A connection: bytes that came, cut into packets.

    A packet ends with its octet count, a line feed or, as of Python's own handler, a zero byte.

    Attributes:
        broken: whether the peer keeps to no framing.
    """

    def __init__(self, connection: socket.socket, now: float) -> None:
        self.connection, self.heard = connection, now
        self.broken = False
        self._held = b""

    def feed(self, block: bytes) -> list[bytes]:
        """Return the packets that are whole by now."""
        self._held += block
        packets = []
        while self._held and not self.broken:
            counted = _LENGTH.match(self._held)
            if counted:
                self.broken = int(counted[1]) > MAX_LINE
                end = counted.end() + int(counted[1])
                if self.broken or len(self._held) < end:
                    break
                packets.append(self._held[counted.end() : end])
                self._held = self._held[end:]
                continue
            ended = _END.search(self._held)
            if not ended:
                break
            if ended.start():
                packets.append(self._held[: ended.start()])
            self._held = self._held[ended.end() :]
        self.broken = self.broken or len(self._held) > MAX_LINE + 16
        return packets

    def rest(self) -> list[bytes]:
        """Return what nothing ended: the last packet of who has gone."""
        rest, self._held = _LENGTH.sub(b"", self._held, count=1), b""
        return [rest] if rest and not self.broken else []


class SyslogSource(Closing):
    """Messages that others send; nothing is read while the pipeline is behind.

    Args:
        scheme: `udp` or `tcp`.
        host: address to listen on.
        port: 0 for a free one.
        tell: called with what a person should know.
        clock: seconds.
    """

    done = False

    def __init__(
        self,
        scheme: str,
        host: str,
        port: int,
        *,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._udp, self._address, self._tell, self._clock = (
            scheme == "udp",
            (host, port),
            tell,
            clock,
        )
        self.name = f"syslog:{scheme}://{host}:{port}"
        self._selector = selectors.DefaultSelector()
        self._listener: socket.socket | None = None
        self._peers: dict[int, _Peer] = {}
        self._lines: list[bytes] = []
        self._last: Chunk | None = None
        self._run, self._given = token_hex(8), 0
        self._size = self._lost = 0
        self._tell_at = float("-inf")

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    def open(self, position: Position | None) -> None:
        """Listen; give the last chunk again when it was not committed.

        Raises:
            ServiceError: when the address cannot be had.
        """
        if self._last is not None and position != self._last.position:
            self._lines = [*self._last.lines, *self._lines]
            self._given -= len(self._last.lines)
        self._last = None
        if self._listener is None:
            self._listen()

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return the messages that came, or None when none did in time."""
        self._size = 0
        for _ in range(_BURST):
            full = len(self._lines) >= max_lines or self._size >= _MOST_BYTES
            if full or not self._receive(timeout_s):
                break
            timeout_s = 0.0
        self._drop_idle()
        if not self._lines:
            return None
        lines, self._lines = self._lines[:max_lines], self._lines[max_lines:]
        numbers = list(range(self._given + 1, self._given + len(lines) + 1))
        self._given += len(lines)
        self._last = Chunk(self.name, lines, numbers, {"run": self._run, "lines": self._given})
        return self._last

    def close(self) -> None:
        """Let go of the address and of all who are connected."""
        for number in list(self._peers):
            self._drop(number)
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _listen(self) -> None:
        kind = socket.SOCK_DGRAM if self._udp else socket.SOCK_STREAM
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listener = socket.socket(family, kind)
        try:
            if self._udp:
                datagrams.prepare(listener)
            else:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._address)
            if not self._udp:
                listener.listen(MAX_PEERS)
        except OSError as error:
            listener.close()
            what = (error.strerror or "the address cannot be had").lower()
            raise ServiceError(what, where=self.name, remedy="name another address") from error
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._listener = listener

    def _receive(self, timeout_s: float) -> bool:
        """Take in what is there; False when nothing is."""
        ready = self._selector.select(timeout_s)
        for key, _ in ready:
            if key.fileobj is self._listener:
                self._packet() if self._udp else self._accept()
            else:
                self._from_peer(key.fd)
        return bool(ready)

    def _packet(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            packet, lost = datagrams.received(self._listener)
            self._lines.append(message_of(packet))
            self._size += len(packet)
            self._note_lost(lost)

    def _note_lost(self, lost: int) -> None:
        """Tell of packets that the system dropped, now and then."""
        now = self._clock()
        if lost > self._lost and now >= self._tell_at:
            self._tell(
                f"{self.name}: {lost - self._lost} packets came faster than they are read, and "
                "were dropped by the system (raise net.core.rmem_max, or send over TCP)"
            )
            self._lost, self._tell_at = lost, now + _TELL_S

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if len(self._peers) >= MAX_PEERS:
            self._drop(min(self._peers, key=lambda number: self._peers[number].heard))
        connection.setblocking(False)
        self._peers[connection.fileno()] = _Peer(connection, self._clock())
        self._selector.register(connection, selectors.EVENT_READ)

    def _from_peer(self, number: int) -> None:
        peer = self._peers.get(number)
        if peer is None:
            return
        try:
            block = peer.connection.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            block = b""
        peer.heard = self._clock()
        self._size += len(block)
        self._lines += map(message_of, peer.feed(block))
        if peer.broken:
            self._tell(f"{self.name}: a peer keeps to no framing of syslog; hung up")
        if peer.broken or not block:
            self._drop(number)

    def _drop(self, number: int) -> None:
        peer = self._peers.pop(number)
        self._lines += map(message_of, peer.rest())
        self._selector.unregister(peer.connection)
        peer.connection.close()

    def _drop_idle(self) -> None:
        now = self._clock()
        for number in [n for n, peer in self._peers.items() if now - peer.heard > IDLE_S]:
            self._drop(number)
