"""Examples from templates: what looks like a secret is made when it is needed, never written down.

`ghp_{base62:30}{checksum:github}` becomes the same token for the same seed. A generator is
`{name}` or `{name:argument}`; any other brace stands for itself.
"""

import json
import re
from base64 import b32encode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from random import Random
from uuid import UUID

from scanner import checksum
from scanner.encodings import (
    BASE36,
    BASE58,
    BASE62,
    BECH32,
    base58_text,
    bech32_remainder,
    crc16,
    crc24,
    double_sha256,
    in_base,
)
from vocabulary.errors import ConfigError

_GENERATOR = re.compile(r"\{([A-Za-z][0-9A-Za-z-]*)((?::[^\s{}:]+)*)\}")
_HEX = "0123456789abcdef"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_BASE32 = _LOWER.upper() + "234567"
_ALPHABETS: Mapping[str, str] = {
    "base62": BASE62,
    "base58": BASE58,
    "base32": _BASE32,
    "base36": BASE36,
    "BASE36": BASE36.upper(),
    "base64": BASE62 + "+/",
    "base64url": BASE62 + "-_",
    "bech32": BECH32,
    "hex": _HEX,
    "HEX": _HEX.upper(),
    "digits": _DIGITS,
    "lower": _LOWER,
    "upper": _LOWER.upper(),
    "letters": _LOWER + _LOWER.upper(),
    "password": BASE62 + "!#%*+,.;?^~",
}
_LINE = 64
_AGE_PREFIX, _AGE_DIGITS = "age-secret-key-", 52


def expand(template: str, seed: str) -> str:
    """Expand `template`, the same for the same `seed`.

    Raises:
        ConfigError: a generator is unknown or has a wrong argument.
    """
    random = Random(seed)  # noqa: S311  (examples must be the same on every run)
    done = ""
    end = 0
    for found in _GENERATOR.finditer(template):
        done += template[end : found.start()]
        done += _generated(found, done, random)
        end = found.end()
    return done + template[end:]


def _generated(found: re.Match[str], before: str, random: Random) -> str:
    name, arguments = found[1], found[2].split(":")[1:]
    try:
        if name in _ALPHABETS and arguments:
            return _letters(random, _ALPHABETS[name], int(arguments[0]))
        if name == "repeat":
            return arguments[0] * int(arguments[1])
        if name == "checksum":
            return checksum.append(arguments[0], _token_before(before))
        if name in _GENERATORS:
            return _GENERATORS[name](random, arguments[0] if arguments else "")
    except (ValueError, IndexError):
        raise ConfigError(f"wrong argument in the generator `{found[0]}`") from None
    if arguments:
        raise ConfigError(f"no generator `{found[0]}`", remedy=f"one of {generator_names()}")
    return found[0]


def generator_names() -> list[str]:
    """Return every name that a template may use."""
    return sorted({*_ALPHABETS, *_GENERATORS, "repeat", "checksum"})


def _token_before(text: str) -> str:
    found = re.search(r"[0-9A-Za-z_.-]*$", text)
    return found[0] if found else ""


def _letters(random: Random, alphabet: str, length: int) -> str:
    return "".join(random.choices(alphabet, k=length))


def _uuid(random: Random, _: str) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _json64(content: Mapping[str, object]) -> str:
    return (
        urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")
    )


def _jwt(random: Random, _: str) -> str:
    header = _json64({"alg": "HS256", "typ": "JWT"})
    claims = _json64({"sub": _letters(random, _DIGITS, 10), "iat": 1_700_000_000})
    return f"{header}.{claims}.{_letters(random, BASE62, 43)}"


def _jwe(random: Random, length: str) -> str:
    """Compact serialization with direct encryption (RFC 7516): the second field is empty."""
    header = _json64({"alg": "dir", "enc": "A256GCM"})
    fields = [16, int(length or 120), 22]
    return f"{header}..{'.'.join(_letters(random, BASE62, field) for field in fields)}"


def _der(random: Random, length: int) -> bytes:
    """A SEQUENCE that starts with a version, as PKCS #1 and #8 do, and goes on at random."""
    body = b"\x02\x01\x00" + random.randbytes(length)
    return b"\x30\x82" + len(body).to_bytes(2) + body


def _armored(raw: bytes, head: str, foot: str, end: str = "\n") -> str:
    text = b64encode(raw).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return end.join([head, *lines, foot])


def _dashed(raw: bytes, label: str, end: str = "\n") -> str:
    return _armored(raw, f"-----BEGIN {label}-----", f"-----END {label}-----", end)


def _label(kind: str) -> str:
    return f"{kind.upper()} PRIVATE KEY" if kind else "PRIVATE KEY"


def _pem(random: Random, kind: str) -> str:
    return _dashed(_der(random, 1190), _label(kind))


def _pem_in_a_string(random: Random, kind: str) -> str:
    return _dashed(_der(random, 600), _label(kind), "\\n")


def _pem_cut(random: Random, kind: str) -> str:
    """Return a key of which the last lines are missing."""
    return "\n".join(_pem(random, kind).split("\n")[:-4])


def _pem_encrypted(random: Random, _: str) -> str:
    head = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
    head += _letters(random, _HEX, 32).upper() + "\n"
    return _armored(random.randbytes(640), head, "-----END RSA PRIVATE KEY-----")


def _openssh(random: Random, end: str) -> str:
    raw = b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none" + random.randbytes(360)
    return _dashed(raw, "OPENSSH PRIVATE KEY", "\\n" if end else "\n")


def _pgp(random: Random, _: str) -> str:
    raw = b"\x95\x01\xfe\x04" + random.randbytes(508)
    crc = b64encode(crc24(raw).to_bytes(3)).decode()
    armored = _dashed(raw, "PGP PRIVATE KEY BLOCK").replace("-----\n", "-----\n\n", 1)
    return armored.replace("\n-----END", f"\n={crc}\n-----END")


def _ppk(random: Random, version: str) -> str:
    public = b"\0\0\0\x07ssh-rsa" + random.randbytes(270)
    lines = _armored(public, "Public-Lines: 6", "Private-Lines: 14")
    private = _armored(random.randbytes(600), "", "").strip()
    mac = _letters(random, _HEX, 40 if version == "2" else 64)
    head = f"PuTTY-User-Key-File-{version or 3}: ssh-rsa\nEncryption: none\nComment: rsa-key\n"
    return f"{head}{lines}\n{private}\nPrivate-MAC: {mac}"


def _aws(random: Random, _: str) -> str:
    """Sixteen base32 characters that hold an account id of twelve digits."""
    account = random.randrange(10**11, 10**12)
    raw = (1 << 47 | account << 7 | random.getrandbits(7)).to_bytes(6) + random.randbytes(4)
    return b32encode(raw).decode()


def _pypi(random: Random, place: str) -> str:
    location = (place or "pypi.org").encode()
    raw = b"\x02\x01" + bytes([len(location)]) + location + b"\x02\x24" + random.randbytes(100)
    return "pypi-" + urlsafe_b64encode(raw).decode().rstrip("=")


def _gitlab(random: Random, prefix: str) -> str:
    payload = urlsafe_b64encode(random.randbytes(16) + b"o:1\nu:" + random.randbytes(5) + b"\x07")
    text = payload.decode().rstrip("=")
    body = f"{prefix}{text}.01.{in_base(len(text), BASE36, 2)}"
    return body + checksum.append("gitlab", body)


def _discord(random: Random, _: str) -> str:
    user = b64encode(str(random.randrange(10**17, 10**18)).encode()).decode().rstrip("=")
    return f"{user}.{_letters(random, BASE62, 6)}.{_letters(random, BASE62, 38)}"


def _basic(random: Random, user: str) -> str:
    password = _letters(random, BASE62, 14)
    return b64encode(f"{user or 'deploy'}:{password}".encode()).decode()


def _sentry(random: Random, _: str) -> str:
    content = {"iat": 1_700_000_000.5, "url": "https://sentry.io", "org": "acme"}
    return f"sntrys_{_json64(content)}_{_letters(random, BASE62, 43)}"


def _mapbox(random: Random, kind: str) -> str:
    content = {"u": "acme", "a": "ck" + _letters(random, BASE36, 23)}
    return f"{kind or 'sk'}.{_json64(content)}.{_letters(random, BASE62, 22)}"


def _grafana_cloud(random: Random, _: str) -> str:
    content = {"o": "652992", "n": "ci", "k": _letters(random, BASE62, 24), "m": {"r": "eu"}}
    return "glc_" + b64encode(json.dumps(content, separators=(",", ":")).encode()).decode()


def _onepassword(random: Random, _: str) -> str:
    content = {
        "email": "a@b.example",
        "signInAddress": "acme.1password.com",
        "muk": {"k": _letters(random, BASE62, 43)},
        "deviceUuid": _letters(random, _BASE32.lower(), 26),
    }
    return "ops_" + _json64(content)


def _age(random: Random, _: str) -> str:
    digits = [random.randrange(32) for _ in range(_AGE_DIGITS - 1)] + [0]
    wanted = bech32_remainder(_AGE_PREFIX, [*digits, *[0] * 6]) ^ 1
    digits += [wanted >> 5 * (5 - place) & 31 for place in range(6)]
    return (_AGE_PREFIX + "1" + "".join(BECH32[digit] for digit in digits)).upper()


def _crc16_base32(raw: bytes) -> str:
    return b32encode(raw + crc16(raw).to_bytes(2, "little")).decode().rstrip("=")


def _nkey(random: Random, kind: str) -> str:
    """A seed: prefix of a seed (18), then that of whose it is, then 32 bytes."""
    owner = {"O": 14, "A": 0, "U": 20, "N": 13, "C": 2, "X": 23}[kind or "U"] << 3
    head = bytes([18 << 3 | owner >> 5, (owner & 31) << 3])
    return _crc16_base32(head + random.randbytes(32))


def _stellar(random: Random, _: str) -> str:
    return _crc16_base32(bytes([18 << 3]) + random.randbytes(32))


def _base58check(raw: bytes) -> str:
    return base58_text(raw + double_sha256(raw))


def _wif(random: Random, _: str) -> str:
    return _base58check(b"\x80" + random.randbytes(32) + b"\x01")


def _xprv(random: Random, _: str) -> str:
    version = bytes.fromhex("0488ADE4")
    return _base58check(version + random.randbytes(41) + b"\0" + random.randbytes(32))


def _wireguard(random: Random, _: str) -> str:
    raw = bytearray(random.randbytes(32))
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return b64encode(raw).decode()


def _bytes64(random: Random, length: str) -> str:
    return b64encode(random.randbytes(int(length))).decode()


_GENERATORS: Mapping[str, Callable[[Random, str], str]] = {
    "uuid": _uuid,
    "jwt": _jwt,
    "jwe": _jwe,
    "pem": _pem,
    "pem-string": _pem_in_a_string,
    "pem-cut": _pem_cut,
    "pem-encrypted": _pem_encrypted,
    "openssh": _openssh,
    "pgp": _pgp,
    "ppk": _ppk,
    "aws": _aws,
    "pypi": _pypi,
    "gitlab": _gitlab,
    "discord": _discord,
    "basic": _basic,
    "sentry": _sentry,
    "mapbox": _mapbox,
    "grafana-cloud": _grafana_cloud,
    "onepassword": _onepassword,
    "age": _age,
    "nkey": _nkey,
    "stellar": _stellar,
    "wif": _wif,
    "xprv": _xprv,
    "wireguard": _wireguard,
    "bytes": _bytes64,
}
