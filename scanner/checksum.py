"""Offline proofs: what a credential's own text says about whether it was ever issued.

Every entry of `CHECKSUMS` takes the secret and says whether its checksum or its inner structure
holds. `append` gives, for the formats that end in a checksum of what stands before, that ending.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from zlib import crc32

from scanner.armor import pem, pgp, ppk
from scanner.encodings import (
    BASE36,
    BASE62,
    BECH32,
    base32_bytes,
    base58_bytes,
    base64_bytes,
    bech32_remainder,
    crc16,
    double_sha256,
    in_base,
)
from vocabulary.errors import ConfigError

_GITHUB_BODY = 30
_SCALAR = 32
_ACCOUNT_BYTES, _ACCOUNT_LIMIT = 6, 10**12
_SNOWFLAKE_DIGITS = range(17, 21)


def check(name: str, secret: str) -> bool:
    """Say whether `secret` passes the offline proof called `name`.

    Raises:
        ConfigError: there is no such proof.
    """
    proof = CHECKSUMS.get(name)
    if proof is None:
        raise ConfigError(f"no checksum is called {name!r}", remedy=f"one of {sorted(CHECKSUMS)}")
    return proof(secret)


def append(name: str, body: str) -> str:
    """Return the characters that complete `body` to a credential that passes `name`.

    Raises:
        ConfigError: this format does not end in a checksum of its body.
    """
    ending = _ENDINGS.get(name)
    if ending is None:
        raise ConfigError(f"no checksum {name!r} to append", remedy=f"one of {sorted(_ENDINGS)}")
    return ending(body)


def _crc62(text: str) -> str:
    return in_base(crc32(text.encode()), BASE62, 6)


def _github_ending(body: str) -> str:
    """CRC-32 of the 30 characters after the prefix, in base62.

    References:
        https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
    """
    return _crc62(body[-_GITHUB_BODY:])


def _grafana_ending(body: str) -> str:
    """CRC-32 of all before the last underscore, as hex of its little-endian bytes.

    References:
        https://github.com/grafana/grafana, pkg/components/satokengen
    """
    return crc32(body.rstrip("_").encode()).to_bytes(4, "little").hex()


def _gitlab_ending(body: str) -> str:
    """CRC-32 of all that stands before, in base36.

    References:
        https://handbook.gitlab.com/handbook/engineering/architecture/design-documents/cells/routable_tokens/
    """
    return in_base(crc32(body.encode()), BASE36, 7)


_ENDINGS: Mapping[str, Callable[[str], str]] = {
    "keywatch": _crc62,
    "github": _github_ending,
    "npm": _github_ending,
    "grafana": _grafana_ending,
    "gitlab": _gitlab_ending,
}


def _ends_right(name: str, width: int) -> Callable[[str], bool]:
    ending = _ENDINGS[name]
    return lambda secret: secret[-width:] == ending(secret[:-width])


def _gitlab(secret: str) -> bool:
    payload, _, rest = secret.partition("-")[2].partition(".")
    fields = rest.split(".")
    length = in_base(len(payload), BASE36, 2)
    return fields[-1][:2] == length and _ends_right("gitlab", 7)(secret)


def _pypi(secret: str) -> bool:
    """A macaroon of version 2 whose location is the index.

    References:
        https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt
    """
    raw = base64_bytes(secret.removeprefix("pypi-"))
    return raw.startswith((b"\x02\x01\x08pypi.org\x02", b"\x02\x01\x0dtest.pypi.org\x02"))


def _json_of(segment: str) -> object:
    import json  # noqa: PLC0415  (few secrets are of JSON)

    try:
        return json.loads(base64_bytes(segment))
    except (ValueError, RecursionError):
        return None


def _json_with(*names: str) -> Callable[[str], bool]:
    def proof(segment: str) -> bool:
        value = _json_of(segment)
        return isinstance(value, dict) and all(name in value for name in names)

    return proof


def _jwt(secret: str) -> bool:
    """The header is JSON with `alg`; so are the claims, where they are not encrypted (RFC 7519)."""
    header, *rest = secret.split(".")
    known = _json_of(header)
    if not isinstance(known, dict) or not isinstance(known.get("alg"), str):
        return False
    return "enc" in known or (bool(rest) and isinstance(_json_of(rest[0]), dict))


def _aws(secret: str) -> bool:
    """The account id inside an access key id has at most twelve digits.

    References:
        https://summitroute.com/blog/2018/06/20/aws_security_credential_formats/
    """
    raw = base32_bytes(secret[4:])
    account = (int.from_bytes(raw[:_ACCOUNT_BYTES]) & 0x7FFFFFFFFF80) >> 7
    return len(raw) > _ACCOUNT_BYTES and account < _ACCOUNT_LIMIT


def _discord(secret: str) -> bool:
    """The first segment is the bot's user id in decimal, base64 encoded.

    References:
        https://discord.com/developers/docs/reference#snowflakes
    """
    user = base64_bytes(secret.partition(".")[0])
    return user.isdigit() and len(user) in _SNOWFLAKE_DIGITS


def _telegram(secret: str) -> bool:
    """Digits of the bot's id, a colon, and a secret that starts with two zero nibbles ("AA")."""
    bot, _, body = secret.partition(":")
    return bot.isdigit() and not bot.startswith("0") and body.startswith("AA")


def _user_and_password(secret: str) -> bool:
    """Base64 of `user:password` in printable characters (RFC 7617)."""
    raw = base64_bytes(secret)
    user, colon, password = raw.partition(b":")
    return bool(colon and password) and bool(user) and _printable(raw)


def _printable(raw: bytes) -> bool:
    try:
        return raw.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _bytes_of(*lengths: int) -> Callable[[str], bool]:
    return lambda secret: len(base64_bytes(secret)) in lengths


def _base58check(secret: str) -> bool:
    raw = base58_bytes(secret)
    return bool(raw) and double_sha256(raw[:-4]) == raw[-4:]


def _checked_base32(secret: str) -> bool:
    """Base32 whose last two bytes are the little-endian CRC-16 of the rest.

    References:
        https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth
        https://developers.stellar.org/docs/learn/fundamentals/contract-development/types/strkey
    """
    raw = base32_bytes(secret)
    return bool(raw) and crc16(raw[:-2]).to_bytes(2, "little") == raw[-2:]


def _bech32(secret: str) -> bool:
    lowered = secret.lower()
    prefix, one, body = lowered.rpartition("1")
    digits = [BECH32.find(character) for character in body]
    return bool(one) and min(digits, default=-1) >= 0 and bech32_remainder(prefix, digits) == 1


def _wireguard(secret: str) -> bool:
    """A Curve25519 scalar is clamped: three low bits are 0, the two high bits are 01 (RFC 7748)."""
    raw = base64_bytes(secret)
    return len(raw) == _SCALAR and raw[0] & 7 == 0 and raw[-1] >> 6 == 1


def _sentry(secret: str) -> bool:
    """Base64 of JSON that names the organisation, between the prefix and the last underscore."""
    return _json_with("iat", "org")(secret.removeprefix("sntrys_").rpartition("_")[0])


def _mapbox(secret: str) -> bool:
    """The middle segment is JSON with the user and the token's id."""
    return _json_with("u", "a")("".join(secret.split(".")[1:2]))


def _after(prefix: str, proof: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda secret: proof(secret.removeprefix(prefix))


def _stripe(secret: str) -> bool:
    """Kind, mode and body stand in three fields."""
    return re.fullmatch(r"(?:sk|rk|pk)_(?:live|test|org)_[0-9A-Za-z_]{10,247}", secret) is not None


CHECKSUMS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "keywatch": _ends_right("keywatch", 6),
        "github": _ends_right("github", 6),
        "npm": _ends_right("npm", 6),
        "grafana": _ends_right("grafana", 8),
        "gitlab": _gitlab,
        "pypi": _pypi,
        "jwt": _jwt,
        "aws": _aws,
        "discord": _discord,
        "telegram": _telegram,
        "stripe": _stripe,
        "basic": _user_and_password,
        "bytes-32": _bytes_of(32),
        "bytes-64": _bytes_of(64),
        "base58check": _base58check,
        "crc16-base32": _checked_base32,
        "bech32": _bech32,
        "wireguard": _wireguard,
        "sentry": _sentry,
        "mapbox": _mapbox,
        "grafana-cloud": _after("glc_", _json_with("o", "k")),
        "onepassword": _after("ops_", _json_with("signInAddress")),
        "pem": pem,
        "pgp": pgp,
        "ppk": ppk,
    }
)
