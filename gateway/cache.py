"""Bounded memory for what was looked up: nearly the least recently used goes first.

Two generations instead of a linked list: what is used moves to the young one; when that is full
it becomes the old one and the old one is forgotten. A hit costs one or two dictionary look-ups,
and each entry is held once.
"""

from typing import Generic, TypeVar

_V = TypeVar("_V")


class Generations(Generic[_V]):
    """A mapping from digests that never holds more than `size` entries; one thread.

    Args:
        size: at most that many entries; at least half as many of the latest used are kept.
    """

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[bytes, _V] = {}
        self._old: dict[bytes, _V] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._young or digest in self._old

    def get(self, digest: bytes) -> _V | None:
        """Return what is held under the digest, and keep it young."""
        value = self._young.get(digest)
        if value is None and (value := self._old.pop(digest, None)) is not None:
            self._add(digest, value)
        return value

    def put(self, digest: bytes, value: _V) -> None:
        """Hold `value`, in place of what was held."""
        self._old.pop(digest, None)
        if digest in self._young:
            self._young[digest] = value
        else:
            self._add(digest, value)

    def drop(self, digest: bytes) -> None:
        """Forget one."""
        self._young.pop(digest, None)
        self._old.pop(digest, None)

    def clear(self) -> None:
        """Forget all."""
        self._young, self._old = {}, {}

    def _add(self, digest: bytes, value: _V) -> None:
        if len(self._young) >= self._half:
            self._young, self._old = {}, self._young
        self._young[digest] = value
