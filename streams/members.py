"""The members of a gzip file (RFC 1952), unpacked one behind the other as they come."""

import zlib
from collections.abc import Callable
from pathlib import Path

from vocabulary.errors import TargetError

_ANY_GZIP_WINDOW = 31


class Members:
    """Unpacks what is given of a file; a member that is not whole gives what there is of it.

    Args:
        path: of the file, for errors.
        more: gives packed bytes, none where there are no more for now.

    Attributes:
        at: how many packed bytes were taken.
    """

    def __init__(self, path: Path, more: Callable[[], bytes]) -> None:
        self._path, self._more = path, more
        self._member = zlib.decompressobj(_ANY_GZIP_WINDOW)
        self._packed = b""
        self.at = 0

    @property
    def whole(self) -> bool:
        """Whether it may end here: behind a member, or with none."""
        return self._member.eof or not self.at

    def read(self, most: int) -> bytes:
        """Return some bytes, none where no more can be unpacked yet."""
        while True:
            if not self._packed:
                self._packed = self._more()
                if not self._packed:
                    return b"" if self._member.eof else self._member.decompress(b"", most)
            block = self._step(most)
            if block:
                return block

    def broken(self, what: str) -> TargetError:
        """Return the error that says where."""
        return TargetError(
            what,
            where=f"{self._path}: byte {self.at}",
            remedy="the lines before it were read; get the file again",
        )

    def _step(self, most: int) -> bytes:
        if self._member.eof:
            # Zero bytes may pad the space between and behind the members.
            padded = len(self._packed)
            self._packed = self._packed.lstrip(b"\0")
            self.at += padded - len(self._packed)
            if not self._packed:
                return b""
            self._member = zlib.decompressobj(_ANY_GZIP_WINDOW)
        before = len(self._packed)
        try:
            block = self._member.decompress(self._packed, most)
        except zlib.error as error:
            raise self.broken("gzip data is damaged") from error
        self._packed = self._member.unused_data or self._member.unconsumed_tail
        self.at += before - len(self._packed)
        return block
