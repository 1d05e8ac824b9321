"""Offline proofs hold for what was issued, and for nothing that differs by a character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import checksum
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
    with pytest.raises(ConfigError, match="no checksum is called"):
        checksum.check("nothing", "x")
    with pytest.raises(ConfigError, match="to append"):
        checksum.append("jwt", "x")


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
