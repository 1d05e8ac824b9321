"""Whatever happens to a log and to us, every line is given exactly once, in order."""

import gzip
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from streams.sources.file import FileSource


class Log(RuleBasedStateMachine):
    """A writer, logrotate and a reader that may die between two commits."""

    name = "access.log"

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / self.name
        self.target = self.path
        self.rest = b""
        self.written = []
        self.read = []
        self.position = None
        self.told = []
        self.source = None

    def teardown(self):
        self.finish_line()
        if not self.path.exists() or self.target != self.path:
            self.reopen(created=False)
            self.write(1)
        for _ in range(4):
            while self.take(7):
                pass
        self.source.close()
        shutil.rmtree(self.folder)
        assert self.read == self.written
        assert self.told == []

    @initialize()
    def begin(self):
        self.write(1)
        self.start()
        assert self.take(1)

    def start(self):
        self.source = FileSource(
            self.path,
            follow=True,
            linger_s=0.0,
            tell=self.told.append,
            wait=lambda _: None,
        )
        self.source.open(self.position)

    def append(self, content):
        with self.target.open("ab") as file:
            file.write(content)

    def generations(self):
        """Return (number, path), the oldest first."""
        found = [(old.name[len(self.name) :].split("."), old) for old in self.folder.iterdir()]
        return sorted(((int(way[1]), old) for way, old in found if len(way) > 1), reverse=True)

    @rule(count=st.integers(1, 9))
    def write(self, count):
        self.finish_line()
        for _ in range(count):
            line = b"line %d of the log" % len(self.written)
            self.written.append(line)
            self.append(self.stored(line + b"\n"))

    def stored(self, content):
        return content

    @rule(cut=st.integers(1, 10))
    @precondition(lambda self: not self.rest)
    def write_half_a_line(self, cut):
        self.written.append(b"line %d of the log" % len(self.written))
        stored = self.stored(self.written[-1] + b"\n")
        self.rest = stored[-cut:]
        self.append(stored[:-cut])

    def finish_line(self):
        self.append(self.rest)
        self.rest = b""

    @rule()
    @precondition(lambda self: self.target == self.path and self.path.exists())
    def rename(self):
        """Move the log away; the writer keeps its old file open."""
        self.shift()
        self.target = self.path.rename(self.folder / f"{self.name}.1")

    @rule(created=st.booleans())
    @precondition(lambda self: self.target != self.path)
    def reopen(self, created):
        self.finish_line()
        self.target = self.path
        if created:
            self.path.touch()

    @rule()
    @precondition(lambda self: self.target == self.path and self.path.exists() and not self.rest)
    def copytruncate(self):
        self.shift()
        shutil.copyfile(self.path, self.folder / f"{self.name}.1")
        with self.path.open("r+b") as file:
            file.truncate(0)

    def shift(self):
        for number, old in self.generations():
            old.rename(self.folder / f"{self.name}.{number + 1}{'.gz' * (old.suffix == '.gz')}")

    @rule()
    @precondition(lambda self: self.target == self.path and self.stored(b"") == b"")
    def pack(self):
        """Compress what was rotated before the last time, as delaycompress does."""
        for number, old in self.generations():
            if old.suffix != ".gz" and number > 1:
                packed = old.with_name(old.name + ".gz")
                packed.write_bytes(gzip.compress(old.read_bytes()))
                os.utime(packed, ns=(old.stat().st_atime_ns, old.stat().st_mtime_ns))
                old.unlink()

    @rule(count=st.integers(1, 12))
    def read_and_commit(self, count):
        self.take(count)

    def take(self, count):
        chunk = self.source.read(count, 0.0)
        if chunk is None:
            return False
        self.read += chunk.lines
        self.position = chunk.position
        return True

    @rule(count=st.integers(0, 12))
    def die(self, count):
        """Read some lines, do not commit them, and start again."""
        if count:
            self.source.read(count, 0.0)
        self.source.close()
        self.start()

    @invariant()
    def nothing_is_doubled_or_skipped(self):
        assert self.read == self.written[: len(self.read)]


class PackedLog(Log):
    """The same of a log that is written as a gzip file, a member behind the other."""

    name = "access.log.gz"

    def stored(self, content):
        return gzip.compress(content, mtime=0)

    @rule(cut=st.integers(1, 30))
    @precondition(lambda self: not self.rest)
    def write_half_a_line_and_flush(self, cut):
        """Two members in the midst of one line."""
        self.written.append(b"line %d of the log" % len(self.written))
        line = self.written[-1] + b"\n"
        self.append(self.stored(line[:5]))
        packed = self.stored(line[5:])
        self.rest = packed[-cut:]
        self.append(packed[:-cut])


Log.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
PackedLog.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLog, TestPackedLog = Log.TestCase, PackedLog.TestCase
