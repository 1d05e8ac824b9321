import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystore.scheme import KeyScheme, hash_of
from scanner.redact import Redactor
from scanner.rules import load_rules

chance = random.Random(5)
KEYS = [KeyScheme().generate("live", random=chance.randbytes) for _ in range(3)]


@pytest.fixture(scope="module")
def redactor():
    return Redactor(load_rules())


def test_lines_without_a_secret_come_back_as_they_are(redactor):
    lines = [b'{"request":"GET /v1/password/reset?token=none HTTP/1.1"}'] * 100
    assert redactor.clean(lines)[0] is lines


def test_a_key_becomes_its_token_and_is_told_of(redactor):
    lines = [b"GET /a", f"GET /b?api_key={KEYS[0]} HTTP/1.1".encode(), b"GET /c"]
    cleaned, exposures = redactor.clean(lines)
    assert [(e.line, e.credential.sha256) for e in exposures] == [(1, hash_of(KEYS[0]))]
    assert cleaned[1] == f"GET /b?api_key={exposures[0].credential.token} HTTP/1.1".encode()
    assert (cleaned[0], cleaned[2]) == (lines[0], lines[2])


def test_threads_clean_at_once(redactor):
    lines = [f"GET /{n}?api_key={KEYS[n % 3]} HTTP/1.1".encode() for n in range(300)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(redactor.clean, [lines] * 16))
    assert all(len(exposures) == len(lines) for _, exposures in told)
    assert all(cleaned == told[0][0] for cleaned, _ in told)


@given(
    st.lists(
        st.lists(st.sampled_from([*KEYS, "GET /", " ", '","', "é", "x" * 50, "?k="]), max_size=6),
        max_size=20,
    )
)
def test_no_key_is_left_in_any_line_and_nothing_else_is_touched(redactor, parts):
    lines = ["&".join(line).encode() for line in parts]
    cleaned, exposures = redactor.clean(lines)
    assert len(cleaned) == len(lines)
    joined = b"\n".join(cleaned).decode()
    assert not any(key in joined for key in KEYS)
    back = joined
    for exposure in exposures:
        key = next(k for k in KEYS if hash_of(k) == exposure.credential.sha256)
        back = back.replace(exposure.credential.token, key)
    assert back.encode() == b"\n".join(lines)
