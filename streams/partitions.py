"""Which partitions of a topic are ours, and from which offset each goes on."""

from collections.abc import Hashable, Sequence
from threading import Lock
from typing import Generic, NamedTuple, Protocol, TypeVar


class Record(Protocol):
    """What is asked of a record."""

    @property
    def offset(self) -> int:
        """Its offset in its partition."""
        ...


Partition = TypeVar("Partition", bound=Hashable)
R = TypeVar("R", bound=Record)


class Taken(NamedTuple, Generic[R]):
    """Records that are next in their partition.

    Attributes:
        records: at least one.
        after: offset behind what was handed out before; None when the partition was never read.
        first: whether they are the first since the partition became ours.
    """

    records: Sequence[R]
    after: int | None
    first: bool


class Partitions(Generic[Partition]):
    """Offsets of the partitions that a worker owns.

    Partitions come and go on a thread of the client's while records are handed out on ours, and
    what was fetched before such a change may come after it. So nothing is believed but offsets:
    every record is handed out once, in order, whatever the client fetched.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._next: dict[Partition, int | None] = {}
        self._after: dict[Partition, int | None] = {}
        self._given: dict[Partition, int] = {}
        self._first: dict[Partition, int] = {}
        self._fresh: set[Partition] = set()
        self._sought: dict[Partition, int] = {}

    def gain(
        self, partition: Partition, committed: int | None, *, anew: bool = False
    ) -> int | None:
        """Note that a partition is ours; return where to begin, None for its beginning.

        Args:
            partition: which one.
            committed: offset behind what is committed. A chunk that was handed out, and is about
                to be committed, is not handed out again.
            anew: whether the partition is another one of that name, whose offsets begin again;
                what is handed out stands behind what is committed all the same.
        """
        with self._lock:
            given = self._given.get(partition)
            start = max((n for n in (committed, given) if n is not None), default=None)
            self._after[partition] = start
            if anew:
                start = None
                self._first.pop(partition, None)
            self._next[partition] = self._first.get(partition) if start is None else start
            self._fresh.add(partition)
            self._sought.pop(partition, None)
            return start

    def lose(self, partition: Partition) -> None:
        """Note that a partition is another worker's now."""
        with self._lock:
            self._next.pop(partition, None)

    def take(self, partition: Partition, records: Sequence[R]) -> Taken[R] | None:
        """Hand out records, or those of them that are next; None when none is.

        Records are missing before the first one either because they were fetched for an earlier
        owner, or because they are no longer there: `lacks` tells from where to ask again, and
        what is missing after that is taken to be gone.
        """
        with self._lock:
            # The very first records come from the beginning: nothing was fetched before them.
            first_seen = self._first.setdefault(partition, records[0].offset)
            if partition not in self._next:
                return None
            wanted, after = self._next[partition], self._after[partition]
            if wanted is None:
                wanted = self._next[partition] = first_seen
            fresh = records
            if records[0].offset < wanted:
                fresh = [record for record in records if record.offset >= wanted]
            if not fresh or self._lacking(partition, fresh[0].offset) is not None:
                return None
            end = fresh[-1].offset + 1
            self._next[partition] = self._after[partition] = self._given[partition] = end
            first = partition in self._fresh
            self._fresh.discard(partition)
            return Taken(fresh, after, first)

    def lacks(self, partition: Partition, offset: int) -> int | None:
        """Return the offset to ask for when records are missing before `offset`, else None."""
        with self._lock:
            missing = self._lacking(partition, offset)
            if missing is not None:
                self._sought[partition] = missing
            return missing

    def _lacking(self, partition: Partition, offset: int) -> int | None:
        wanted = self._next.get(partition)
        if wanted is None or offset <= wanted or self._sought.get(partition) == wanted:
            return None
        return wanted
