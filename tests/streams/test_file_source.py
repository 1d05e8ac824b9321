import errno
import gzip
import os
import shutil
from pathlib import Path
from random import Random
from unittest import mock

import pytest

from streams.logfile import BLOCK, open_log
from streams.rotation import HEAD
from streams.sources.file import FileSource
from vocabulary.errors import TargetError

OPEN = []


@pytest.fixture(autouse=True)
def _close_all():
    yield
    while OPEN:
        OPEN.pop().close()


def opened(path, **options):
    OPEN.append(FileSource(path, wait=lambda _: None, **options))
    return OPEN[-1]


def drain(source, position=None, *, rounds=8):
    """Read until nothing comes; return the lines and the position behind them."""
    source.open(position)
    return more(source, position, rounds=rounds)


def more(source, position=None, *, rounds=8):
    lines = []
    for _ in range(rounds):
        chunk = source.read(3, 0.0)
        while chunk is not None:
            lines += chunk.lines
            position = chunk.position
            chunk = source.read(3, 0.0)
    return lines, position


def following(path, told=None):
    tell = told.append if told is not None else lambda _: None
    return opened(path, follow=True, linger_s=0.0, tell=tell)


def once(path):
    return opened(path, follow=False)


def write(path, *lines, mode="ab"):
    with path.open(mode) as file:
        file.write(b"".join(line + b"\n" for line in lines))


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "access.log"
    write(path, b"one", b"two")
    return path


def test_reads_a_file_once(log):
    with once(log) as source:
        assert drain(source)[0] == [b"one", b"two"]
        assert source.done


def test_tells_where_each_line_stands(log):
    source = once(log)
    source.open(None)
    chunk = source.read(10, 0.0)
    assert chunk.place(1) == {"file": str(log), "offset": 4}
    assert chunk.source == f"file:{log}"


def test_gives_the_last_line_without_a_line_feed_when_reading_once(log):
    log.write_bytes(b"one\ntw")
    assert drain(once(log))[0] == [b"one", b"tw"]


def test_waits_for_the_rest_of_a_half_line_when_following(log):
    source = following(log)
    log.write_bytes(b"one\ntw")
    assert drain(source)[0] == [b"one"]
    with log.open("ab") as file:
        file.write(b"o\nthree\n")
    assert more(source)[0] == [b"two", b"three"]


def test_goes_on_where_it_stopped(log):
    _, position = drain(once(log))
    write(log, b"three")
    assert drain(once(log), position)[0] == [b"three"]


def test_follows_across_rotation_by_rename(log):
    source = following(log)
    drain(source)
    old = log.rename(log.with_name("access.log.1"))
    write(old, b"three")
    log.touch()
    write(old, b"four")
    assert more(source)[0] == [b"three", b"four"]
    write(log, b"five")
    assert more(source)[0] == [b"five"]


def test_reads_on_in_the_rotated_file_while_it_is_still_written_to(log):
    now = [log.stat().st_mtime]
    source = opened(log, follow=True, linger_s=1.0, clock=lambda: now[0])
    drain(source)
    old = log.rename(log.with_name("access.log.1"))
    write(log, b"new")
    assert more(source)[0] == []
    write(old, b"late")
    assert more(source)[0] == [b"late"]
    now[0] += 60
    assert more(source)[0] == [b"new"]


@pytest.mark.parametrize("packed", [False, True])
def test_finds_its_file_after_two_rotations_while_it_was_down(log, packed):
    _, position = drain(once(log))
    write(log, b"three")
    second = log.rename(log.with_name("access.log.2"))
    if packed:
        second.with_name("access.log.2.gz").write_bytes(gzip.compress(second.read_bytes()))
        second.unlink()
    write(log, b"four")
    log.rename(log.with_name("access.log.1"))
    write(log, b"five")
    assert drain(once(log), position)[0] == [b"three", b"four", b"five"]
    assert drain(following(log), position)[0] == [b"three", b"four", b"five"]


def test_follows_across_copytruncate(log):
    source = following(log)
    drain(source)
    write(log, b"three")
    copytruncate(log)
    write(log, b"four")
    assert more(source)[0] == [b"three", b"four"]


def copytruncate(log):
    shutil.copyfile(log, log.with_name("access.log.1"))
    with log.open("r+b") as file:
        file.truncate(0)


def test_finds_the_copy_after_copytruncate_while_it_was_down(log):
    _, position = drain(once(log))
    write(log, b"three")
    copytruncate(log)
    write(log, b"four", b"a long line, so that the file is longer than it was before")
    assert drain(following(log), position)[0][:2] == [b"three", b"four"]


@pytest.mark.parametrize("by", ["rename", "copytruncate"])
def test_what_was_never_committed_is_found_again_though_it_was_rotated_meanwhile(log, by):
    """The process is killed between opening and its first commit, then the log is rotated."""
    write(log.with_name("access.log.9"), b"of long ago")
    kept = {}
    opened(log, follow=True, begun=kept.__setitem__).open(None)
    write(log, b"three")
    if by == "rename":
        log.rename(log.with_name("access.log.1"))
    else:
        shutil.copy(log, log.with_name("access.log.1"))
        log.write_bytes(b"")
    write(log, b"four")
    (position,) = kept.values()
    assert drain(following(log), position)[0] == [b"one", b"two", b"three", b"four"]


@pytest.mark.parametrize("by", ["rename", "copytruncate"])
def test_what_was_never_committed_of_an_empty_log_is_found_again(log, by):
    """Of what was there before it was begun with, one is still written to, one is packed since."""
    packed, written = log.with_name("access.log.2"), log.with_name("access.log.1")
    for old in (packed, written):
        write(old, b"of long ago")
    log.write_bytes(b"")
    for one in (packed, written, log):
        os.utime(one, ns=(10**18, 10**18))
    kept = {}
    opened(log, follow=True, begun=kept.__setitem__).open(None)
    (position,) = kept.values()
    write(log, b"three")
    if by == "rename":
        log.rename(log.with_name("access.log.0"))
    else:
        shutil.copy(log, log.with_name("access.log.0"))
        log.write_bytes(b"")
    write(log, b"four")
    write(written, b"later")
    before = packed.stat()
    packed.with_name("access.log.2.gz").write_bytes(gzip.compress(packed.read_bytes()))
    os.utime(packed.with_name("access.log.2.gz"), ns=(before.st_atime_ns, before.st_mtime_ns))
    packed.unlink()
    source = following(log)
    lines, position = drain(source, position)
    assert lines == [b"three", b"four"]
    write(log, b"five")
    assert drain(following(log), position)[0] == [b"five"]


def test_an_empty_log_that_was_begun_with_is_begun_with_again(log):
    write(log.with_name("access.log.1"), b"of long ago")
    log.write_bytes(b"")
    kept = {}
    opened(log, follow=True, begun=kept.__setitem__).open(None)
    (position,) = kept.values()
    source = following(log)
    assert drain(source, position)[0] == []
    write(log, b"one")
    assert more(source)[0] == [b"one"]


def test_a_broken_generation_holds_up_nobody_and_is_told(log):
    """Rotated and packed while nobody read, and the packed file was cut off."""
    told = []
    _, position = drain(following(log))
    write(log, *[b"lost %d" % number for number in range(2000)])
    packed = gzip.compress(log.read_bytes())
    log.with_name("access.log.1.gz").write_bytes(packed[: len(packed) // 2])
    log.unlink()
    write(log, b"after")
    lines, _ = drain(following(log, told), position, rounds=2000)
    assert lines[0].startswith(b"lost")
    assert lines[-1] == b"after"
    assert any("access.log.1.gz" in said for said in told)


def test_a_file_that_was_read_before_begins_nowhere(log):
    kept = {}
    _, position = drain(once(log))
    opened(log, follow=True, begun=kept.__setitem__).open(position)
    opened(log, follow=False, begun=kept.__setitem__).open(None)
    assert kept == {}


def test_says_that_lines_may_be_lost_when_its_file_is_gone(log):
    told = []
    _, position = drain(once(log))
    log.unlink()
    write(log, b"other")
    assert drain(following(log, told), position)[0] == [b"other"]
    assert "lost" in told[0]


def test_reads_from_the_start_after_truncation(log):
    told = []
    source = following(log, told)
    drain(source)
    log.write_bytes(b"new\n")
    assert more(source)[0] == [b"new"]
    assert "truncated" in told[0]


def test_waits_for_a_file_that_is_away_between_two_rotations(log):
    _, position = drain(once(log))
    log.rename(log.with_name("access.log.1"))
    source = following(log)
    assert drain(source, position)[0] == []
    write(log, b"three")
    assert more(source)[0] == [b"three"]


def test_knows_dated_generations_by_their_names(log):
    _, position = drain(once(log))
    log.rename(log.with_name("access-20251102.log"))
    write(log, b"three")
    log.rename(log.with_name("access-20251103.log"))
    write(log, b"four")
    write(log.with_name("access-other.log"), b"not mine")
    assert drain(once(log), position)[0] == [b"three", b"four"]


def test_follows_generations_that_are_counted_upwards(log):
    """As Log4j 2 does by default: the highest number is the newest."""
    source, read = following(log), []
    lines, position = drain(source)
    for number in range(1, 5):
        rotated = log.rename(log.with_name(f"access.log.{number}"))
        os.utime(rotated, ns=(number * 10**9, number * 10**9))
        write(log, b"line %d" % number)
        fresh, position = more(source, position)
        read += fresh
    assert lines + read == [b"one", b"two", *(b"line %d" % number for number in range(1, 5))]
    assert drain(following(log), position)[0] == []


def test_reads_gzip_of_several_members(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"o\n") + b"\0" * 99)
    source = once(path)
    assert drain(source)[0] == [b"one", b"two"]
    assert source.done


def test_delivers_what_is_readable_of_a_truncated_gzip_and_then_says_where_it_ends(tmp_path):
    path = tmp_path / "log.gz"
    text = b"".join(b"line %d\n" % number for number in range(50_000))
    packed = gzip.compress(text)
    path.write_bytes(packed[: len(packed) // 2])
    source = once(path)
    lines = []
    with pytest.raises(TargetError, match=r"log\.gz: byte \d+: gzip data ends too early"):
        lines += drain_until_error(source, lines)
    assert len(lines) > 10_000
    assert b"\n".join(lines) + b"\n" == text[: sum(map(len, lines)) + len(lines)]


def drain_until_error(source, lines):
    source.open(None)
    while True:
        lines += source.read(1000, 0.0).lines


def test_says_where_a_gzip_is_damaged(tmp_path):
    path = tmp_path / "log.gz"
    packed = bytearray(gzip.compress(b"".join(b"line %d\n" % n for n in range(50_000))))
    packed[-8] ^= 1  # the checksum
    path.write_bytes(packed)
    lines = []
    with pytest.raises(TargetError, match=r"byte \d+: gzip data is damaged"):
        drain_until_error(once(path), lines)


def test_goes_on_in_the_middle_of_a_gzip(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\nthree\n"))
    source = once(path)
    source.open(None)
    position = source.read(2, 0.0).position
    assert drain(once(path), position)[0] == [b"three"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x7fELF\0\0\0\1", "binary"),
        ("GET /\n".encode("utf-16"), "iconv"),
        ("GET /\n".encode("utf-16-le"), "binary"),
        (Random(7).randbytes(8192), "binary"),
        (b"BZh91AY", "bzcat"),
    ],
)
def test_refuses_what_is_no_text(tmp_path, content, message):
    path = tmp_path / "access.log"
    path.write_bytes(content)
    with pytest.raises(TargetError, match=message):
        once(path).open(None)


def test_a_line_that_holds_a_zero_byte_does_not_have_the_log_refused(log):
    write(log, b"three", b"a client's \0", b"five")
    assert drain(once(log))[0][-2:] == [b"a client's \0", b"five"]


@pytest.mark.parametrize(
    "content",
    [
        b"on\0e\ntwo\n",
        b"one\n" + b"\0" * 4096 + b"two\n" * 99,
        b"\0\n" + b"\x1b[32mone\x1b[0m\n" * 9,
    ],
)
def test_a_zero_byte_here_and_there_refuses_no_log(tmp_path, content):
    """A client sent it, or a crash left it: it is a line's fault, and not the log's."""
    path = tmp_path / "access.log"
    path.write_bytes(content)
    assert b"\n".join(drain(once(path))[0]) == content.rstrip(b"\n")


def test_refuses_what_is_missing_a_folder_or_not_regular(tmp_path):
    for path in (tmp_path / "missing", tmp_path, Path("/dev/null")):
        with pytest.raises(TargetError, match=str(path)):
            once(path).open(None)


def append(path, packed):
    with path.open("ab") as file:
        file.write(packed)


@pytest.fixture
def growing(tmp_path):
    """As nginx writes it (`access_log … gzip flush=1m`): a member for each flush."""
    path = tmp_path / "access.log.gz"
    append(path, gzip.compress(b"one\n"))
    append(path, gzip.compress(b"two\n"))
    return path


def test_follows_a_packed_log_that_grows(growing):
    source = following(growing)
    assert drain(source)[0] == [b"one", b"two"]
    for line in (b"three", b"four"):
        append(growing, gzip.compress(line + b"\n"))
        assert more(source)[0] == [line]
    assert not source.done


def test_a_log_of_small_members_is_known_again(growing):
    told = []
    _, position = drain(once(growing))
    assert drain(once(growing), position)[0] == []
    append(growing, gzip.compress(b"three\n"))
    assert drain(following(growing, told), position)[0] == [b"three"]
    assert told == []


@pytest.mark.parametrize("at", [1, 5, 11, 300, -4], ids=str)
def test_waits_for_the_rest_of_a_member_that_is_not_whole(growing, at):
    """Cut in its header, in its lines, in its sum."""
    lines = [b"line %d of %x" % (n, Random(n).getrandbits(256)) for n in range(50)]
    packed = gzip.compress(b"".join(line + b"\n" for line in lines))
    source = following(growing)
    source.open(None)
    append(growing, packed[:at])
    some, position = more(source)
    append(growing, packed[at:])
    assert some + more(source)[0] == [b"one", b"two", *lines]
    assert some + drain(following(growing), position)[0] == [b"one", b"two", *lines]


def test_a_member_that_is_never_whole_is_told_when_the_next_log_is_read(growing):
    told = []
    source = following(growing, told)
    append(growing, gzip.compress(b"three\n")[:-8])
    assert drain(source)[0] == [b"one", b"two", b"three"]
    assert told == []
    growing.rename(f"{growing}.1")
    append(growing, gzip.compress(b"four\n"))
    assert more(source)[0] == [b"four"]
    assert [one for one in told if "gzip data ends too early" in one]


def test_a_damaged_packed_log_is_told_while_it_is_followed(growing):
    append(growing, b"junk")
    source = following(growing)
    source.open(None)
    assert source.read(9, 0.0).lines == [b"one", b"two"]
    with pytest.raises(TargetError, match=r"access\.log\.gz: byte \d+: gzip data is damaged"):
        source.read(9, 0.0)


@pytest.mark.parametrize("name", ["access.log.gz", "access.log"])
def test_a_log_that_is_empty_at_first_may_turn_out_to_be_packed(tmp_path, name):
    path = tmp_path / name
    path.touch()
    source = following(path)
    source.open(None)
    append(path, gzip.compress(b"one\n"))
    assert more(source)[0] == [b"one"]


def test_reads_a_packed_log_from_the_start_after_truncation(growing):
    told = []
    source = following(growing, told)
    drain(source)
    growing.write_bytes(gzip.compress(b"".join(b"new %d\n" % n for n in range(9))))
    assert len(more(source)[0]) == 9
    growing.write_bytes(b"")
    assert more(source)[0] == []
    append(growing, gzip.compress(b"new\n"))
    assert more(source)[0] == [b"new"]
    assert all("truncated" in one for one in told)


def test_a_generation_that_begins_as_half_a_line_of_the_log_is_no_copy_of_it(log):
    told = []
    _, position = drain(following(log))
    log.rename(log.with_name("access.log.2"))
    write(log.with_name("access.log.1"), b"three")
    log.write_bytes(b"th")
    assert drain(following(log, told), position)[0] == [b"three"]
    assert told == []


@pytest.mark.parametrize("name", ["access.log.gz.1", "access.log.1.gz"])
def test_a_packed_log_that_was_rotated_while_it_was_down_is_found_again(growing, name):
    """As logrotate names it without and with `extension .gz`."""
    told = []
    _, position = drain(following(growing))
    append(growing, gzip.compress(b"three\n"))
    growing.rename(growing.with_name(name))
    append(growing, gzip.compress(b"four\n"))
    assert drain(following(growing, told), position)[0] == [b"three", b"four"]
    assert told == []


def test_leaves_out_the_byte_order_mark(tmp_path):
    path = tmp_path / "access.log"
    path.write_bytes(b"\xef\xbb\xbfone\n")
    assert drain(once(path))[0] == [b"one"]


def test_cuts_a_line_of_ten_megabytes_and_goes_on_behind_it(tmp_path):
    path = tmp_path / "access.log"
    path.write_bytes(b"one\n" + b"x" * 10_000_000 + b"\ntwo\n")
    source = once(path)
    source.open(None)
    assert source.read(10, 0.0).lines == [b"one"]
    chunk = source.read(10, 0.0)
    assert [len(line) for line in chunk.lines] == [1_048_577, 3]
    assert chunk.offsets == [4, 10_000_005]
    assert chunk.position["offset"] == 10_000_009


def test_unpacks_no_more_than_is_asked_for(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"x" * 4_000_000 + b"\n"))
    source = once(path)
    source.open(None)
    assert len(source._log.head(0)) + len(source._head) == 0
    chunk = source.read(10, 0.0)
    assert (len(chunk.lines[0]), chunk.position["head"]) == (1_048_577, HEAD)


@pytest.mark.parametrize("size", [BLOCK, BLOCK + 100, 3 * BLOCK - 1])
def test_gives_all_that_a_gzip_without_its_end_holds(tmp_path, size):
    text = b"\n" * size
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(text)[:-8])
    log = open_log(path)
    read = list(iter(log.read, b""))
    with pytest.raises(TargetError, match="ends too early"):
        log.check_end()
    log.close()
    assert b"".join(read) == text


def test_a_log_that_is_gone_is_an_error_where_nobody_waits(log):
    _, position = drain(once(log))
    log.unlink()
    with pytest.raises(TargetError, match="no such file"):
        once(log).open(position)


def test_a_log_that_is_gone_is_waited_for(log):
    told = []
    source = following(log, told)
    _, position = drain(source)
    log.unlink()
    assert drain(source, position)[0] == []
    write(log, b"new")
    assert more(source)[0] == [b"new"]
    assert len(told) == 1  # that it was gone


def test_lines_that_come_while_it_waits_are_given_at_once(log):
    waited = []
    OPEN.append(FileSource(log, follow=True, wait=lambda s: waited.append(s) or write(log, b"new")))
    (source,) = OPEN
    drain(source, rounds=1)
    assert source.read(9, 60.0).lines == [b"new"]
    assert len(waited) == 1


def test_an_empty_log_that_was_rotated_before_its_first_line_was_read_is_read_first(tmp_path):
    log = tmp_path / "access.log"
    log.touch()
    source = following(log)
    source.open(None)
    write(log, b"one")
    log.rename(log.with_name("access.log.1"))
    write(log, b"two")
    assert more(source)[0] == [b"one", b"two"]


@pytest.mark.parametrize("again", [True, False])
def test_a_rotation_between_seeing_the_next_file_and_opening_it_loses_nothing(log, again):
    """It happens while it looks whether the old file is quiet."""
    turns = []

    def clock():
        if not turns:
            turns.append(log.rename(log.with_name("access.log.2")))
            if again:
                write(log, b"four")
        return log.with_name("access.log.1").stat().st_mtime + 60

    source = opened(log, follow=True, clock=clock, tell=pytest.fail)
    drain(source)
    log.rename(log.with_name("access.log.1"))
    os.utime(log.with_name("access.log.1"), (1, 1))
    write(log, b"three")
    assert more(source)[0] == [b"three", b"four"][: 1 + again]
    assert turns


def test_a_new_log_that_is_no_text_is_told_until_it_is_one(log):
    source = following(log)
    drain(source)
    log.rename(log.with_name("access.log.1"))
    log.write_bytes(b"\x7fELF\0\0\0\1")
    for _ in range(2):
        with pytest.raises(TargetError, match="binary"):
            more(source)
    log.write_bytes(b"new\n")
    assert more(source)[0] == [b"new"]


def test_a_log_without_read_access_is_told_with_what_to_do(log, monkeypatch):
    def refuse(*_words):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)  # root may read everything
    with pytest.raises(TargetError, match=r"permission denied \(give read access to it\)"):
        once(log).open(None)


@pytest.mark.parametrize("packed", [False, True])
def test_a_disk_that_fails_is_told_with_the_file(tmp_path, packed):
    path = tmp_path / "access.log"
    path.write_bytes(gzip.compress(b"one\n") if packed else b"one\n")
    log = open_log(path)
    log._file.close()
    log._file = mock.Mock(read=mock.Mock(side_effect=OSError(errno.EIO, "Input/output error")))
    with pytest.raises(TargetError, match=r"access\.log: Input/output error"):
        log.read()


def test_generations_by_number_and_by_name_are_ordered_by_their_times(log):
    """What two tools rotated, one after the other."""
    _, position = drain(once(log))
    for at, name in enumerate(["access.log.20251103", "access.log.1", "access.log.old"]):
        older = log.rename(log.with_name(name))
        os.utime(older, (at + 1, at + 1))
        write(log, b"%d" % at)
    assert drain(once(log), position)[0] == [b"0", b"1", b"2"]
