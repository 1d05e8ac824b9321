"""Every record once and in order, whenever partitions come and go."""

from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from streams.partitions import Partitions


class Record(NamedTuple):
    offset: int


LOG = [Record(offset) for offset in (*range(40), *range(45, 90))]
"""Five records were deleted in the middle."""


class Client(RuleBasedStateMachine):
    """A client that fetches from where it was told to, and hands over late what it fetched."""

    def __init__(self):
        super().__init__()
        self.ours = Partitions()
        self.committed = None
        self.position = 0
        self.buffers = []
        self.read = []
        self.chunk = None
        self.gained()

    @rule()
    def gained(self):
        start = self.ours.gain("p", self.committed)
        self.position = 0 if start is None else start

    @rule()
    def lost(self):
        self.ours.lose("p")

    @rule(count=st.integers(1, 30))
    def fetched(self, count):
        records = [record for record in LOG if record.offset >= self.position][:count]
        if records:
            self.buffers.append(records)
            self.position = records[-1].offset + 1

    @rule()
    def handed_over(self):
        if self.buffers and self.chunk is None:
            records = self.buffers.pop(0)
            self.chunk = self.ours.take("p", records)
            if self.chunk is None:
                wanted = self.ours.lacks("p", records[0].offset)
                if wanted is not None:
                    self.position = wanted
                    self.buffers.clear()

    @rule()
    def committed_it(self):
        if self.chunk is not None:
            assert self.chunk.after == self.committed
            self.read += self.chunk.records
            self.committed = self.read[-1].offset + 1
            self.chunk = None

    def teardown(self):
        self.committed_it()
        self.gained()
        self.buffers.clear()
        for _ in range(40):
            self.fetched(9)
            self.handed_over()
            self.committed_it()
        assert self.read == LOG


Client.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestClient = Client.TestCase
