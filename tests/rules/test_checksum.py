"""Offline proofs hold for what was issued, and for nothing that differs by a character."""

import json
from base64 import b32encode, b64encode, urlsafe_b64encode
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import checksum
from scanner.encodings import BASE36, BECH32, bech32_remainder, in_base
from scanner.generators import expand
from vocabulary.errors import ConfigError

ISSUED = {
    "aws": "AKIA{aws}",
    "base58check": "{wif}",
    "basic": "{basic:ci}",
    "bech32": "{age}",
    "bytes-32": "{bytes:32}",
    "bytes-64": "{bytes:64}",
    "crc16-base32": "{nkey:U}",
    "discord": "{discord}",
    "github": "ghp_{base62:30}{checksum:github}",
    "gitlab": "{gitlab:glpat-}",
    "grafana": "glsa_{base62:32}_{checksum:grafana}",
    "grafana-cloud": "{grafana-cloud}",
    "jwt": "{jwt}",
    "keywatch": "sk_live_{base62:43}{checksum:keywatch}",
    "mapbox": "{mapbox:sk}",
    "npm": "npm_{base62:30}{checksum:npm}",
    "onepassword": "{onepassword}",
    "pem": "{pem:RSA}",
    "pgp": "{pgp}",
    "ppk": "{ppk:3}",
    "pypi": "{pypi}",
    "sentry": "{sentry}",
    "stripe": "sk_live_{base62:24}",
    "telegram": "7{digits:9}:AA{base64url:33}",
    "wireguard": "{wireguard}",
}
CHECKED_TO_THE_LETTER = (
    "base58check",
    "bech32",
    "crc16-base32",
    "github",
    "gitlab",
    "grafana",
    "keywatch",
    "npm",
)


def test_every_proof_has_an_example():
    assert sorted(ISSUED) == sorted(checksum.CHECKSUMS)


@pytest.mark.parametrize("name", sorted(ISSUED))
@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_what_was_issued_passes(name, seed):
    assert checksum.check(name, expand(ISSUED[name], seed))


@pytest.mark.parametrize("name", CHECKED_TO_THE_LETTER)
def test_one_changed_character_fails(name):
    issued = expand(ISSUED[name], "seed")
    middle = len(issued) // 2
    other = "A" if issued[middle] != "A" else "C"
    assert not checksum.check(name, issued[:middle] + other + issued[middle + 1 :])


def packed(value):
    """Return bytes, or JSON, as it stands in tokens."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).decode().rstrip("=")


def aws(account):
    return "AKIA" + b32encode((account << 7 | 5).to_bytes(6) + b"1234").decode()


HEADER, CLAIMS, CLAMPED = packed({"alg": "none"}), packed({"sub": "a"}), bytes(31) + b"\x40"
GRAFANA = "glsa_" + "a1B2" * 8
MACAROON = "pypi-" + packed(b"\x02\x01\x0dtest.pypi.org\x02more")
NEAR = [
    ("jwt", f"{HEADER}.{CLAIMS}.x", True),
    ("jwt", f"{HEADER}.{packed([1])}.x", False),
    ("jwt", f"{HEADER}.x.x", False),
    ("jwt", HEADER, False),
    ("jwt", f"{packed({'typ': 'JWT'})}.{CLAIMS}.x", False),
    ("jwt", f"{packed({'alg': 1})}.{CLAIMS}.x", False),
    ("jwt", f"{packed(['alg'])}.{CLAIMS}.x", False),
    ("jwt", f"{packed({'alg': 'dir', 'enc': 'A256GCM'})}..x.x.x", True),
    ("aws", aws(10**12 - 1), True),
    ("aws", aws(10**12), False),
    ("aws", aws(1)[:13], False),
    ("aws", aws(1)[:14], False),
    ("telegram", "712345678:AA" + "b" * 33, True),
    ("telegram", "x12345678:AA" + "b" * 33, False),
    ("telegram", "012345678:AA" + "b" * 33, False),
    ("telegram", "712345678:BB" + "b" * 33, False),
    ("telegram", "712345678", False),
    ("basic", b64encode(b"ci:word:more").decode(), True),
    ("basic", b64encode(b"ci:").decode(), False),
    ("basic", b64encode(b":word").decode(), False),
    ("basic", b64encode(b"nocolon").decode(), False),
    ("basic", b64encode(b"ci:wo\x01rd").decode(), False),
    ("basic", b64encode(b"ci:wo\xffrd").decode(), False),
    ("bytes-32", b64encode(bytes(32)).decode(), True),
    ("bytes-32", b64encode(bytes(31)).decode(), False),
    ("bytes-64", b64encode(bytes(32)).decode(), False),
    ("wireguard", b64encode(CLAMPED).decode(), True),
    ("wireguard", b64encode(b"\x01" + CLAMPED[1:]).decode(), False),
    ("wireguard", b64encode(CLAMPED[:-1] + b"\xc0").decode(), False),
    ("wireguard", b64encode(CLAMPED[1:]).decode(), False),
    ("sentry", f"sntrys_{packed({'iat': 1, 'org': 'a'})}_x", True),
    ("sentry", f"sntrys_{packed({'iat': 1})}_x", False),
    ("sentry", f"sntrys_{packed({'org': 'a'})}_x", False),
    ("mapbox", f"sk.{packed({'u': 'a', 'a': 'b'})}.x", True),
    ("mapbox", f"sk.{packed({'u': 'a'})}.x", False),
    ("mapbox", f"sk.{packed({'a': 'a'})}.x", False),
    ("grafana-cloud", f"glc_{packed({'o': '1', 'k': 'x'})}", True),
    ("grafana-cloud", f"glc_{packed({'o': '1'})}", False),
    ("onepassword", f"ops_{packed({'signInAddress': 'x'})}", True),
    ("onepassword", f"ops_{packed({'address': 'x'})}", False),
    ("pypi", MACAROON, True),
    ("pypi", "pypi-" + packed(b"\x02\x01\x08ipyp.org\x02more"), False),
    ("grafana", f"{GRAFANA}_{crc32(GRAFANA.encode()).to_bytes(4, 'little').hex()}", True),
    ("grafana", f"{GRAFANA}_{crc32(f'{GRAFANA}_'.encode()).to_bytes(4, 'little').hex()}", False),
    ("discord", packed(b"1" * 17) + ".x.x", True),
    ("discord", packed(b"1" * 16) + ".x.x", False),
    ("discord", packed(b"1" * 21) + ".x.x", False),
    ("discord", packed(b"a" * 18) + ".x.x", False),
    ("bech32", "age1", False),
    ("bech32", "age", False),
    ("base58check", "", False),
    ("crc16-base32", "", False),
]


@pytest.mark.parametrize(("name", "secret", "holds"), NEAR)
def test_what_is_nearly_right_is_told_from_what_is(name, secret, holds):
    assert checksum.check(name, secret) is holds


def test_bech32_may_be_written_large_and_its_body_holds_no_strange_character():
    issued = expand(ISSUED["bech32"], "seed")
    assert checksum.check("bech32", issued.upper())
    assert not checksum.check("bech32", issued[:-1] + "b")


def test_the_last_one_of_a_bech32_string_ends_its_name():
    name, digits = "a1b", [1, 2, 3]
    remainder = bech32_remainder(name, [*digits, *[0] * 6]) ^ 1
    digits += [remainder >> 5 * place & 31 for place in range(5, -1, -1)]
    assert checksum.check("bech32", f"{name}1" + "".join(BECH32[digit] for digit in digits))


def test_a_routable_token_says_how_long_its_payload_is():
    issued = expand(ISSUED["gitlab"], "seed")
    longer = issued.replace("glpat-", "glpat-a", 1)[:-7]
    assert not checksum.check("gitlab", longer + checksum.append("gitlab", longer))


@given(st.text(max_size=200))
def test_no_text_breaks_a_proof(text):
    for name in checksum.CHECKSUMS:
        assert checksum.check(name, text) in (True, False)


def test_a_known_github_checksum():
    """The vector that GitHub's own article leads to: CRC-32 of the body, in base62."""
    body = "0" * 30
    assert checksum.append("github", body) == checksum.append("npm", "npm_" + body)
    assert checksum.check("github", "ghp_" + body + checksum.append("github", body))


def test_an_unknown_proof_is_refused():
    with pytest.raises(ConfigError, match=r"no checksum is called .*one of .*'aws'"):
        checksum.check("nothing", "x")
    with pytest.raises(ConfigError, match="to append"):
        checksum.append("jwt", "x")


@pytest.mark.parametrize(
    "written",
    [
        "\n+".join,
        "\r\n+".join,
        "\n2026-01-02 03:04:05 INFO ".join,
        "\napp_1  | ".join,
        "&#xD;&#xA;".join,
        lambda lines: "\\n".join(lines).replace("/", "\\/").replace("+", "\\u002b"),
    ],
    ids=["diff", "diff of Windows", "log", "docker compose", "XML", "JSON"],
)
def test_a_key_is_proven_in_diffs_logs_and_documents(written):
    lines = expand("{pem:RSA}", "seed").rstrip("\n").split("\n")
    assert checksum.check("pem", written(lines))
    assert not checksum.check("pem", written([*lines[:5], *lines[6:]]))


@pytest.mark.parametrize("kind", ["pem", "pem-string", "pem-encrypted", "openssh"])
def test_a_key_is_known_however_its_lines_are_written(kind):
    key = expand(f"{{{kind}}}", "seed")
    indented = "\n".join("    " + line for line in key.split("\n"))
    joined = " +\n".join(f'"{line}\\n"' for line in key.split("\n"))
    assert checksum.check("pem", key)
    assert checksum.check("pem", indented)
    assert checksum.check("pem", joined)


def test_a_key_that_was_cut_short_is_none():
    lines = expand("{pem:RSA}", "seed").split("\n")
    assert not checksum.check("pem", "\n".join(lines[:5] + lines[6:]))


def test_a_dash_within_a_gitlab_token_is_no_end_of_its_prefix():
    payload = "ab-cd_" * 4 + "efg"
    length = in_base(len(payload), BASE36, 2)
    body = f"glpat-{payload}.01.{length}"
    assert checksum.check("gitlab", body + checksum.append("gitlab", body))


def test_a_grafana_token_may_end_in_any_letter():
    body = "glsa_" + "aX" * 16 + "_"
    issued = body + checksum.append("grafana", body)
    assert checksum.check("grafana", issued)
    assert checksum.append("grafana", body) == crc32(body[:-1].encode()).to_bytes(4, "little").hex()
