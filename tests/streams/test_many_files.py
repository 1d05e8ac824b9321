"""Patterns of files, syslog: each line once."""

import gzip
import logging
import socket
import struct
import sys
from contextlib import suppress
from logging.handlers import SysLogHandler

import pytest

from streams.sources.globbed import GlobSource, matching
from streams.sources.syslog import IDLE_S, SyslogSource, message_of
from vocabulary.errors import ServiceError, TargetError


class Positions:
    """What a database would keep."""

    def __init__(self):
        self.kept = {}

    def commit(self, chunk):
        self.kept[chunk.source] = chunk.position


@pytest.fixture
def positions():
    return Positions()


def drained(source, positions, *, most=1000, commit=True):
    lines = []
    while (chunk := source.read(most, 0.0)) is not None:
        lines += chunk.lines
        if commit:
            positions.commit(chunk)
    return lines


def test_reads_all_files_of_a_pattern_once(tmp_path, positions):
    (tmp_path / "a.log").write_text("a1\na2\n")
    (tmp_path / "b.log").write_text("b1\n")
    (tmp_path / "c.txt").write_text("c1\n")
    pattern = str(tmp_path / "*.log")
    for expected in ([b"a1", b"a2", b"b1"], []):
        with GlobSource(pattern, follow=False, positions=positions.kept.get) as source:
            source.open()
            assert sorted(drained(source, positions)) == expected
            assert source.done


def test_finds_files_that_come_later_and_goes_on_in_those_it_knows(tmp_path, positions):
    now = [0.0]
    (tmp_path / "a.log").write_text("a1\n")
    with GlobSource(
        str(tmp_path / "*.log"), follow=True, positions=positions.kept.get, clock=lambda: now[0]
    ) as source:
        source.open()
        assert drained(source, positions) == [b"a1"]
        (tmp_path / "b.log").write_text("b1\n")
        with (tmp_path / "a.log").open("a") as file:
            file.write("a2\n")
        now[0] = 60.0
        assert sorted(drained(source, positions)) == [b"a2", b"b1"]
        assert not source.done


def test_rotated_generations_belong_to_their_file(tmp_path):
    for name in ("access.log", "access.log.1", "access.log.2.gz", "other.log"):
        (tmp_path / name).write_bytes(gzip.compress(b"x\n") if name.endswith("gz") else b"x\n")
    found = matching(str(tmp_path / "*"))
    assert [name.rpartition("/")[2] for name in found] == ["access.log", "other.log"]


def test_a_broken_file_holds_no_other_up_and_is_told_of(tmp_path, positions):
    (tmp_path / "a.log").write_bytes(gzip.compress(b"a1\n" * 9)[:-9])
    (tmp_path / "b.log").write_text("b1\n")
    with GlobSource(str(tmp_path / "*.log"), follow=False, positions=positions.kept.get) as source:
        source.open()
        with pytest.raises(TargetError, match="ends too early"):
            drained(source, positions)
        assert source.done


@pytest.mark.parametrize(
    "content",
    [b"\x7fELF\0\0\0\1", gzip.compress(b"", mtime=0) + b"junk"],
    ids=["binary", "damaged"],
)
def test_a_file_that_cannot_be_followed_is_told_of_and_holds_no_other_up(
    tmp_path, positions, content
):
    (tmp_path / "a.log").write_bytes(content)
    (tmp_path / "b.log").write_text("b1\n")
    told = []
    pattern = str(tmp_path / "*.log")
    with GlobSource(pattern, follow=True, positions={}.get, tell=told.append) as source:
        source.open()
        assert drained(source, positions) == [b"b1"]
        assert not source.done
    assert [one.partition(": ")[0] for one in told] == [str(tmp_path / "a.log")]


def test_a_pattern_without_files_is_refused_where_nobody_waits(tmp_path):
    with pytest.raises(TargetError, match="no file"):
        GlobSource(str(tmp_path / "*.log"), follow=False, positions={}.get).open()


LINE = b'{"a":1}'


@pytest.mark.parametrize(
    "packet",
    [
        b"<190>1 2025-11-03T09:12:44.003Z web nginx 12 ID47 - " + LINE,
        b'<190>1 - - - - - [a@1 b="c \\" ]"][d@1] \xef\xbb\xbf' + LINE,
        b"<190>Nov  3 09:12:44 web nginx: " + LINE,
        b"<190>Nov  3 09:12:44 web nginx[12]: " + LINE + b"\n",
        b"<134>2025-11-03T09:12:44+00:00 web haproxy[12]: " + LINE,
        b"<190>nginx: " + LINE,
        LINE,
    ],
)
def test_finds_the_message_of_a_packet(packet):
    assert message_of(packet) == LINE


def test_takes_packets_apart_quickly_whatever_they_are():
    for piece in (b"[a", b'"', b" ", b"\\", b'[a "', b"x"):
        message_of(b"<190>1 - - - - - " + piece * 60_000)
        message_of(b"<190>" + piece * 60_000)


def gathered(source, count):
    lines = []
    while len(lines) < count:
        chunk = source.read(1000, 5.0)
        assert chunk is not None
        lines += chunk.lines
    return lines


def test_takes_messages_in_over_udp():
    with SyslogSource("udp", "127.0.0.1", 0) as source:
        source.open(None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(3):
                sender.sendto(b"<190>1 - - - - - - %d" % number, ("127.0.0.1", source.port))
        assert gathered(source, 3) == [b"0", b"1", b"2"]


def test_of_the_largest_packets_so_many_are_taken_in_at_once_and_what_was_dropped_is_told():
    told = []
    with SyslogSource("udp", "127.0.0.1", 0, tell=told.append) as source:
        source.open(None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", source.port))
            for number in range(1000):  # far more than any system keeps for us
                sender.send(b"<13>Nov  3 09:12:44 h app: " + b"%06d" % number + b"x" * 65_000)
            seen = []
            while chunk := source.read(20_000, 0.0):
                seen += chunk.lines
                assert sum(map(len, chunk.lines)) < 9 << 20
            sender.send(b"<13>Nov  3 09:12:44 h app: one more")
            assert source.read(20_000, 60.0).lines == [b"one more"]
    assert seen == [b"%06d" % n + b"x" * 65_000 for n in range(len(seen))]
    if sys.platform == "linux":
        assert f"{1000 - len(seen)} packets" in told[0]


def test_takes_messages_in_over_tcp_in_both_framings():
    with SyslogSource("tcp", "127.0.0.1", 0) as source:
        source.open(None)
        with socket.create_connection(("127.0.0.1", source.port)) as sender:
            packet = b"<190>1 - - - - - - a\nb"
            sender.sendall(b"%d %b" % (len(packet), packet) * 2 + b"<190>nginx: c\n<190>ngi")
            assert gathered(source, 3) == [b"a b", b"a b", b"c"]
            sender.sendall(b"nx: d\n")
            assert gathered(source, 1) == [b"d"]


def test_what_was_not_committed_is_given_again():
    with SyslogSource("udp", "127.0.0.1", 0) as source:
        source.open(None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<190>nginx: a", ("127.0.0.1", source.port))
        assert gathered(source, 1) == [b"a"]
        source.open(None)
        assert gathered(source, 1) == [b"a"]


def test_hangs_up_on_who_keeps_to_no_framing(monkeypatch):
    monkeypatch.setattr("streams.sources.syslog.MAX_LINE", 1000)
    told = []
    with SyslogSource("tcp", "127.0.0.1", 0, tell=told.append) as source:
        source.open(None)
        for hostile in (b"x" * 5000, b"99999999 <190>"):
            with socket.create_connection(("127.0.0.1", source.port)) as sender:
                sender.sendall(hostile)
                sender.settimeout(5)
                while source._peers or not told:
                    source.read(10, 0.01)
                told.clear()
                with suppress(ConnectionResetError):
                    assert sender.recv(1) == b""


def test_hangs_up_on_the_most_silent_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr("streams.sources.syslog.MAX_PEERS", 2)
    with SyslogSource("tcp", "127.0.0.1", 0) as source:
        source.open(None)
        peers = []
        for number in range(1, 4):
            peers.append(socket.create_connection(("127.0.0.1", source.port)))
            while len(source._peers) < min(number, 2) or (number == 3 and source.read(1, 0.01)):
                source.read(1, 0.01)
        peers[-1].sendall(b"<190>nginx: a\n")
        assert gathered(source, 1) == [b"a"]
        assert len(source._peers) == 2
        for peer in peers:
            peer.close()


def test_hangs_up_on_who_says_nothing_for_long():
    now = [0.0]
    with SyslogSource("tcp", "127.0.0.1", 0, clock=lambda: now[0]) as source:
        source.open(None)
        with socket.create_connection(("127.0.0.1", source.port)) as sender:
            sender.sendall(b"<190>nginx: a\n")
            assert gathered(source, 1) == [b"a"]
            now[0] = IDLE_S + 1
            source.read(1, 0.0)
            sender.settimeout(5)
            assert sender.recv(1) == b""


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("last", [b"<190>nginx: b", b"13 <190>nginx: b", b"99 <190>nginx: b"])
def test_who_hangs_up_leaves_what_was_sent(reset, last):
    """Whether it was whole nobody can tell; half a line is a dead letter, and told of as such."""
    with SyslogSource("tcp", "127.0.0.1", 0, tell=pytest.fail) as source:
        source.open(None)
        sender = socket.create_connection(("127.0.0.1", source.port))
        sender.sendall(b"<190>nginx: a\n" + last)
        assert source.read(1, 5.0).lines == [b"a"]
        if reset:  # as a sender that was killed does
            linger = struct.pack("ii", 1, 0)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        sender.close()
        lines = []
        while source._peers or source._lines:
            chunk = source.read(1, 0.01)
            lines += chunk.lines if chunk else []
        assert lines == [b"b"]


def test_takes_in_what_pythons_own_handler_sends_over_tcp():
    """It ends messages with a zero byte and never with a line feed."""
    with SyslogSource("tcp", "127.0.0.1", 0, tell=pytest.fail) as source:
        source.open(None)
        address = ("127.0.0.1", source.port)
        handler = SysLogHandler(address, socktype=socket.SOCK_STREAM)
        handler.ident = "app: "
        for word in ("a", "b"):
            handler.handle(logging.makeLogRecord({"msg": word}))
        assert gathered(source, 2) == [b"a", b"b"]
        handler.close()


def test_listens_on_where_it_did_when_it_is_opened_again():
    with SyslogSource("tcp", "127.0.0.1", 0) as source:
        source.open(None)
        with socket.create_connection(("127.0.0.1", source.port)) as sender:
            sender.sendall(b"<190>nginx: a\n<190>nginx: b\n")
            chunk = source.read(1, 5.0)
            source.open(chunk.position)
            assert gathered(source, 1) == [b"b"]


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_says_when_the_address_is_taken(scheme):
    with SyslogSource(scheme, "::1", 0) as source:
        source.open(None)
        with pytest.raises(ServiceError, match="in use"):
            SyslogSource(scheme, "::1", source.port).open(None)
