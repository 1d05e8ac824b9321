"""Lines that hold one JSON object each, decoded into a typed row."""

import json
from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from streams.parsed import MAX_LINE, Rejection

Row = TypeVar("Row")


class JsonLines(Generic[Row]):
    """Decodes JSON lines to rows of one type; what it does not know is ignored.

    Numbers may be written as text, as log formats that quote every variable do.

    Args:
        row: a msgspec structure; its fields are the ones that are read.
    """

    def __init__(self, row: type[Row]) -> None:
        self._decode = msgspec.json.Decoder(row, strict=False).decode

    def rows(self, lines: Sequence[bytes]) -> tuple[list[int], list[Row], list[Rejection]]:
        """Return the lines' indices, their rows, and the lines that are none."""
        index: list[int] = []
        rows: list[Row] = []
        rejected: list[Rejection] = []
        decode = self._decode
        for number, line in enumerate(lines):
            try:
                rows.append(decode(line))
            except (msgspec.MsgspecError, ValueError, RecursionError):
                self._second_look(number, line, index, rows, rejected)
            else:
                index.append(number)
        return index, rows, rejected

    def _second_look(
        self,
        number: int,
        line: bytes,
        index: list[int],
        rows: list[Row],
        rejected: list[Rejection],
    ) -> None:
        if not line.strip():
            return
        try:
            rows.append(self._decode(_repaired(line)))
            index.append(number)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            rejected.append((number, _reason(line, error)))


def _repaired(line: bytes) -> bytes:
    """Return the JSON again without what clients smuggle into it to have their line refused.

    Bytes that are no UTF-8 and lone surrogates become question marks.

    Raises:
        ValueError: when it is no JSON even so.
    """
    if len(line) > MAX_LINE:
        raise ValueError
    value = json.loads(line.decode("utf-8-sig", "replace"))
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _reason(line: bytes, error: Exception) -> str:
    if len(line) > MAX_LINE:
        return f"line: longer than {MAX_LINE} bytes"
    if isinstance(error, msgspec.ValidationError):
        what, _, field = str(error).partition(" - at `$")
        return f"{field.strip('.`') or 'line'}: {what[:1].lower()}{what[1:]}"
    if isinstance(error, RecursionError):
        return "line: nested too deeply"
    return "line: not JSON"
