"""What the body of a post holds, and by what it is known when it comes again."""

import gzip
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from secrets import token_hex

import msgspec

from streams.asgi import Refused

MAX_UNPACKED = 32 << 20

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def delivery_key(headers: Mapping[str, str], scope: str) -> tuple[str, bool]:
    """Return by what a batch is known, and whether its sender named it.

    A key is its sender's own, so another source, or another sender, may use the same one. Without
    a key each post is another batch: two equal ones may be two events that were written alike.

    Args:
        headers: of the request, by names in lower case.
        scope: the source, and who sends.

    Raises:
        Refused: when the header holds no key.
    """
    given = headers.get("idempotency-key", "").strip('"')
    if not given:
        return f"post:{token_hex(16)}", False
    if not _KEY.fullmatch(given):
        raise Refused(400, "Idempotency-Key: not 1 to 200 printable characters")
    mine = sha256(f"{scope}\0{given}".encode()).hexdigest()
    return f"key:{mine}", True


def fingerprint_of(lines: Sequence[bytes]) -> str:
    """Return by what it is told that the same key names other lines; packed or not is one."""
    return sha256(b"\n".join(lines)).hexdigest()


def lines_of(headers: Mapping[str, str], body: bytes) -> list[bytes]:
    """Return the lines of a body, or the elements of an array; `Content-Encoding: gzip` is read.

    Raises:
        Refused: when it is damaged, too large unpacked, or said to be JSON and is none.
    """
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise Refused(415, "Content-Encoding: only gzip", (b"accept-encoding", b"gzip"))
    text = _unpacked(body) if encoding == "gzip" else body
    if text.lstrip()[:1] == b"[":
        said = headers.get("content-type", "").startswith("application/json")
        elements = _elements(text)
        if said and elements is None:
            raise Refused(400, "no JSON array")
        # Unsaid, it is one when it can be nothing else: lines of text may begin so, too.
        if elements is not None and (said or all(one[:1] == b"{" for one in elements)):
            return elements
    return [line for line in text.split(b"\n") if line.strip()]


def _elements(text: bytes) -> list[bytes] | None:
    try:
        return [bytes(one).replace(b"\n", b" ") for one in _ARRAY.decode(text)]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _unpacked(body: bytes) -> bytes:
    """Unpack one or more gzip members."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            text = packed.read(MAX_UNPACKED + 1)
    except EOFError:
        raise Refused(400, "gzip data ends too early") from None
    except (zlib.error, OSError):
        raise Refused(400, "gzip data is damaged") from None
    if len(text) > MAX_UNPACKED:
        raise Refused(413, "too large when unpacked")
    return text
