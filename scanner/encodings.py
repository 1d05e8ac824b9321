"""Number systems and small checksums that credential formats are built from."""

from base64 import b32decode, b64decode, urlsafe_b64decode
from binascii import Error

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CRC24_START, _CRC24_POLYNOMIAL = 0xB704CE, 0x1864CFB
_CRC16_POLYNOMIAL = 0x1021


def in_base(number: int, alphabet: str, width: int) -> str:
    """Write `number` with the digits of `alphabet`, zero padded to `width`."""
    digits = []
    while number:
        number, digit = divmod(number, len(alphabet))
        digits.append(alphabet[digit])
    return "".join(reversed(digits)).rjust(width, alphabet[0])


def base64_bytes(text: str) -> bytes:
    """Decode base64 of either alphabet, padded or not; empty where it is none."""
    text = text.rstrip("=")
    padded = text + "=" * (-len(text) % 4)
    try:
        if "-" in text or "_" in text:
            return urlsafe_b64decode(padded)
        return b64decode(padded, validate=True)
    except (Error, ValueError):
        return b""


def base32_bytes(text: str) -> bytes:
    """Decode unpadded upper-case base32 (RFC 4648); empty where it is none."""
    try:
        return b32decode(text + "=" * (-len(text) % 8))
    except (Error, ValueError):
        return b""


def base58_bytes(text: str) -> bytes:
    """Decode base58 with Bitcoin's alphabet; empty where it is none."""
    number = 0
    for character in text:
        digit = BASE58.find(character)
        if digit < 0:
            return b""
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def base58_text(raw: bytes) -> str:
    """Write `raw` in base58 with Bitcoin's alphabet."""
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return "1" * zeros + in_base(int.from_bytes(raw), BASE58, 0)


def double_sha256(raw: bytes) -> bytes:
    """Return the four bytes that Base58Check appends.

    References:
        https://en.bitcoin.it/wiki/Base58Check_encoding
    """
    from hashlib import sha256  # noqa: PLC0415  (few secrets ask for it)

    return sha256(sha256(raw).digest()).digest()[:4]


def crc16(raw: bytes) -> int:
    """CRC-16/XMODEM, as NATS NKEYs and Stellar's StrKey use it."""
    value = 0
    for byte in raw:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1) ^ (_CRC16_POLYNOMIAL if value & 0x8000 else 0)
        value &= 0xFFFF
    return value


def crc24(raw: bytes) -> int:
    """CRC-24 of OpenPGP's ASCII armor.

    References:
        https://www.rfc-editor.org/rfc/rfc4880#section-6.1
    """
    value = _CRC24_START
    for byte in raw:
        value ^= byte << 16
        for _ in range(8):
            value <<= 1
            if value & 0x1000000:
                value ^= _CRC24_POLYNOMIAL
    return value & 0xFFFFFF


def bech32_remainder(prefix: str, digits: list[int]) -> int:
    """Return the polynomial remainder of a Bech32 string; 1 where its checksum is right.

    References:
        https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki
    """
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    remainder = 1
    for digit in (*expanded, *digits):
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ digit
        for bit, generator in enumerate(_BECH32_GENERATOR):
            remainder ^= generator if top >> bit & 1 else 0
    return remainder
