"""The pipeline in parts that run anywhere: what a Spark job does in its Python workers.

Lines are dealt out by key id, and the work of each shard is committed as the partitions of a topic
are (see `keywatch.pipelines`): profiles, alerts and effects in one transaction with how far the
shard has come, behind what was committed before. A task that Spark repeats, or runs twice at once,
finds that and does nothing. What was refused to an address is dealt out once more, by address.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
import pandas as pd

from keywatch.shardworker import Done, Job, Worker

__all__ = ["Job", "Worker"]

ROUTED = "shard int, first long, second long, third long, line binary"
LETTERS = "shard int, third long, letter long, line binary"
DONE = "shard int, lines long, events long, late long, alerts long"
CHUNK_LINES = 20_000

Frames = Iterator[pd.DataFrame]


def route(frames: Frames, job: Job) -> Frames:
    """Deal out lines: each to the shard of its key, what was refused also to that of its address.

    Args:
        frames: columns first, second, third (the order of lines) and line.
        job: whose lines they are.
    """
    here = worker(job)
    for frame in frames:
        yield here.dealt_out(frame)


def run_batch(frames: Frames, job: Job, number: int) -> Frames:
    """Absorb one micro-batch: all rows of a shard, in order, or none when it was absorbed before.

    Args:
        frames: as `route` yields them, whole shards, sorted.
        job: whose lines they are.
        number: of the batch; Spark repeats a batch under its number.
    """
    here = worker(job)
    for shard, rows in _by_shard(frames):
        yield _table([here.absorb(shard, pd.concat(list(rows)), number, number + 1)])


def run_history(frames: Frames, job: Job) -> Frames:
    """Absorb all rows of each shard, a part at a time; begun anew it goes on where it was.

    Args:
        frames: as `route` yields them, whole shards, sorted: the same rows in every run.
        job: whose lines they are.
    """
    here = worker(job)
    for shard, rows in _by_shard(frames):
        position, done = 0, Done(shard)
        known = here.committed(shard)
        committed = int(known["offset"]) if known else 0
        for frame in _cut_small(rows):
            left = frame.iloc[max(0, committed - position) :]
            position += len(frame)
            if len(left):
                one = here.absorb(shard, left, position - len(left), position)
                done = Done(shard, *(a + b for a, b in zip(done[1:], one[1:], strict=True)))
        yield _table([done])


def route_letters(frames: Frames, job: Job) -> Frames:
    """Deal out dead letters as `route` does lines.

    Args:
        frames: columns third (the order of lines), letter (its number) and line.
        job: whose letters they are.
    """
    here = worker(job)
    for frame in frames:
        yield here.dealt_out(frame)


def run_letters(frames: Frames, job: Job) -> Frames:
    """Absorb lines that were dead letters; one that is still no event is laid back.

    Args:
        frames: as `route_letters` yields them, whole shards, sorted; what addresses did before
            the rest, since a letter is gone once its event is committed.
        job: whose letters they are.
    """
    here = worker(job)
    for shard, rows in _by_shard(frames):
        yield _table([here.read_again(shard, pd.concat(list(rows)))])


@lru_cache(maxsize=1)
def worker(job: Job) -> "Worker":
    """Return this process's worker for a job."""
    return Worker(job)


def _cut(frames: Frames) -> Iterator[tuple[int, pd.DataFrame]]:
    """Cut frames where a shard ends."""
    for frame in frames:
        shards = frame["shard"].to_numpy()
        edges = [0, *(np.flatnonzero(np.diff(shards)) + 1).tolist(), len(frame)]
        for begin, end in pairwise(edges):
            if begin < end:
                yield int(shards[begin]), frame.iloc[begin:end]


def _by_shard(frames: Frames) -> Iterator[tuple[int, Iterator[pd.DataFrame]]]:
    """Yield each shard once, with its rows; they must be taken before the next one."""
    for shard, group in groupby(_cut(frames), key=itemgetter(0)):
        yield shard, (frame for _, frame in group)


def _cut_small(frames: Frames) -> Frames:
    for frame in frames:
        for begin in range(0, len(frame), CHUNK_LINES):
            yield frame.iloc[begin : begin + CHUNK_LINES]


def _table(done: list[Done]) -> pd.DataFrame:
    return pd.DataFrame(done, columns=list(Done._fields))
