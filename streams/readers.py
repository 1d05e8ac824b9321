"""The readers of fields: word → value, or None when it is not what it should be."""

from streams import plain
from streams.parsed import MAX_KEY, Reader
from streams.requestline import request, request_line
from streams.timestamps import clf_ms, epoch_ms, epoch_s_ms, rfc3339_ms

_MAX_STATUS = 999
_MAX_SIZE = 2**63 - 1
_MAX_DIGITS = 20


def _number(word: int | str, largest: int) -> int | None:
    if isinstance(word, str):
        if word in {"", "-"}:
            return 0
        if len(word) > _MAX_DIGITS or not (word.isascii() and word.isdigit()):
            return None
        word = int(word)
    return word if 0 <= word <= largest else None


def _status(word: int | str) -> int | None:
    return _number(word, _MAX_STATUS)


def _size(word: int | str) -> int | None:
    return _number(word, _MAX_SIZE)


def _key(word: str) -> str | None:
    if word == "-":
        return ""
    return word if len(word) <= MAX_KEY and word.isprintable() else None


def _pair(word: tuple[str, str]) -> tuple[str, str, str]:
    return request(*word)


CLF_TIME: Reader[int] = Reader("a time like 31/Dec/2025:23:59:59 +0000", clf_ms, plain.clf)
RFC3339_TIME: Reader[int] = Reader("an RFC 3339 time with an offset", rfc3339_ms, plain.rfc3339)
EPOCH_S: Reader[int] = Reader("seconds since 1970", epoch_s_ms)
EPOCH_MS: Reader[int] = Reader("milliseconds since 1970", epoch_ms)
STATUS: Reader[int] = Reader("a status from 0 to 999", _status, plain.whole_numbers(_MAX_STATUS))
SIZE: Reader[int] = Reader("a number of bytes", _size, plain.whole_numbers(_MAX_SIZE))
TOKENS: Reader[int] = Reader("a number of tokens", _size, plain.whole_numbers(_MAX_SIZE))
KEY: Reader[str] = Reader(
    f"a printable key of at most {MAX_KEY} characters", _key, plain.printable(MAX_KEY)
)
REQUEST_LINE: Reader[tuple[str, str, str]] = Reader("a request line", request_line)
METHOD_AND_TARGET: Reader[tuple[str, str, str]] = Reader("a method and a target", _pair)
