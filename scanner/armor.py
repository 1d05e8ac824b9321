"""Private keys in armor: whether what stands between the dashes can be a key at all."""

import re
from collections.abc import Iterator

from scanner.encodings import base64_bytes, crc24
from scanner.lazy import lazy

_ESCAPES = lazy(r"\\+[nrt]")
_NUMBERED = lazy(r"(?:&#[xX]|\\+u00)([0-9a-fA-F]{1,2});?|&#(\d{1,3});")
_LAST_WORD = lazy(r"[0-9A-Za-z+/=]+(?=[ \t\r\\]{0,20}$)")
_ADDED = lazy(r"\n\+")
_JOIN = lazy(r"[\"'][ \t]{0,20}[+.&,][ \t]{0,20}(?=[\r\n]|$)")
_NOISE = lazy(r"[^0-9A-Za-z+/=]")
_BODY = lazy(r"-----BEGIN[^-]{1,40}-----(.{1,20000}?)-----END", re.DOTALL)
_HEADER = lazy(r"(?m)^[\s\"'#*]{0,40}[A-Za-z-]{1,30}: .{0,200}$")
_SEQUENCE, _LONG_FORM = 0x30, 0x80
_MIN_KEY = 32
_CIPHER_BLOCK = 8


def _body(armored: str) -> str:
    found = _BODY.search(_ESCAPES.sub("\n", _NUMBERED.sub(_character, armored)))
    return _JOIN.sub("", found[1]) if found else ""


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16) if found[1] else int(found[2]))


def pem(secret: str) -> bool:
    r"""Say whether a PEM block holds a DER sequence of the right length, or an OpenSSH key.

    Line ends may be written as `\n` or `&#10;`, lines may be quoted, indented, added by a diff or
    logged. A key encrypted the old way (`Proc-Type: 4,ENCRYPTED`) is proven by its whole number of
    cipher blocks only.

    References:
        https://www.rfc-editor.org/rfc/rfc7468
        https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
    """
    return any(_is_key(body) for body in _readings(_body(secret)))


def _readings(body: str) -> Iterator[str]:
    """Yield a body as it is, as what a diff adds, and without what a log puts before lines."""
    yield body
    if body.startswith(("\n+", "\r\n+")):
        yield _ADDED.sub("\n", body)
    lines = body.split("\n")[:-1]  # the last has before the dashes what the others have, too
    yield "".join(found[0] for line in lines if (found := _LAST_WORD.search(line)))


def _is_key(body: str) -> bool:
    raw = base64_bytes(_NOISE.sub("", _HEADER.sub("", body)))
    if "ENCRYPTED" in body:
        return len(raw) >= _MIN_KEY and len(raw) % _CIPHER_BLOCK == 0
    return raw.startswith(b"openssh-key-v1\0") or _is_sequence(raw)


def _is_sequence(raw: bytes) -> bool:
    """Say whether `raw` is one DER SEQUENCE, whole (X.690)."""
    if len(raw) < _MIN_KEY or raw[0] != _SEQUENCE:
        return False
    first = raw[1]
    if first < _LONG_FORM:
        return len(raw) == 2 + first
    width = first - _LONG_FORM
    return len(raw) == 2 + width + int.from_bytes(raw[2 : 2 + width])


def pgp(secret: str) -> bool:
    """Say whether an OpenPGP armor holds packets and, where it has a CRC-24, the right one."""
    lines = [line.strip(" \"'\t,") for line in _body(secret).split("\n")]
    lines = [line for line in lines if line and ": " not in line]
    ending = lines.pop() if lines and re.fullmatch(r"=[0-9A-Za-z+/]{4}", lines[-1]) else ""
    raw = base64_bytes("".join(lines))
    is_packet = len(raw) >= _MIN_KEY and raw[0] & 0x80 != 0
    return is_packet and (not ending or base64_bytes(ending[1:]) == crc24(raw).to_bytes(3))


def ppk(secret: str) -> bool:
    """Say whether a PuTTY key file has a public part that names the algorithm of its head."""
    text = _ESCAPES.sub("\n", secret)
    head = re.search(r"PuTTY-User-Key-File-[123]: ([\w-]{3,40})", text)
    public = re.search(r"Public-Lines: \d{1,3}\s+([0-9A-Za-z+/=]{16,80})", text)
    if not head or not public:
        return False
    return head[1].encode() in base64_bytes(public[1][: len(public[1]) // 4 * 4])
