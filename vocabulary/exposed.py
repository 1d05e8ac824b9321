"""What stood in clear in a line that was cleaned before it was written: told in the line itself.

Whoever reads such a log finds no secret there any more, and is to hear of it all the same.
"""

from collections.abc import Iterable, Sequence

import msgspec

from vocabulary.credential import Credential, Exposure

FIELD = b',"exposed":['
"""How the field begins; no value can hold this, for quotes in values are escaped."""


class _Hit(msgspec.Struct, frozen=True):
    rule: str
    credential: Credential


class _Line(msgspec.Struct):
    exposed: list[_Hit] = []


def told(line: bytes, exposures: Iterable[Exposure]) -> bytes:
    """Return a JSON object's line with a last field that says which secrets stood in it.

    Args:
        line: one JSON object with at least one field, cleaned.
        exposures: what was found in it, if anything.
    """
    hits = [_Hit(one.rule, one.credential) for one in exposures]
    return line[:-1] + FIELD + msgspec.json.encode(hits)[1:] + b"}" if hits else line


def exposures_in(lines: Sequence[bytes]) -> list[Exposure]:
    """Return what lines say of themselves; nothing of lines that are not whole JSON objects."""
    return [
        Exposure(number, hit.rule, hit.credential)
        for number, line in enumerate(lines)
        if FIELD in line
        for hit in _hits(line)
    ]


def _hits(line: bytes) -> list[_Hit]:
    try:
        return _decoder.decode(line).exposed
    except (msgspec.MsgspecError, RecursionError):
        return []


_decoder = msgspec.json.Decoder(_Line)
