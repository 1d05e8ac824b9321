"""Secrets written as bytes: arrays of them, UTF-16 in base64, keys in DER, framed by nothing."""

import base64
import random

import pytest
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner import arrays, der, dumps, scan
from tests.scanner.secrets import github_token

TOKEN = github_token()
RAW = TOKEN.encode()
HEX = [f"0x{byte:02x}" for byte in RAW]
ROWS = [", ".join(HEX[at : at + 12]) for at in range(0, len(HEX), 12)]
NUMBERS = ", ".join(map(str, RAW))
NEXT = "\n    "


def wide(text):
    return base64.b64encode(text.encode("utf-16-le")).decode()


WRITTEN = {
    "C": (f"char t[] = {{{', '.join(HEX)}}};\n", ("array",)),
    "xxd -i": ("x = {\n  " + ",\n  ".join(ROWS) + "\n};\n", ("array",)),
    "Java": (f"byte[] t = {{(byte) {', (byte) '.join(HEX)}}};\n", ("array",)),
    "letters": (f"char t[] = {{{','.join(map(repr, TOKEN))}, '\\0'}};\n", ("array",)),
    "JavaScript": (f"String.fromCharCode({NUMBERS})\n", ("array",)),
    "Python": (f"t = bytes([{NUMBERS}])\n", ("array",)),
    "Go": (f"t := []byte{{{NUMBERS}}}\n", ("array",)),
    "a list": (f"t = [{NUMBERS}]\n", ("array",)),
    "a number a line": (f"t = bytes([\n    {NUMBERS.replace(' ', NEXT)},\n])\n", ("array",)),
    "Node.js": (f'{{"type":"Buffer","data":[{NUMBERS.replace(" ", "")}]}}\n', ("array",)),
    "Rust": (f"let t: [u8; 40] = [{NUMBERS}];\n", ("array",)),
    "characters in C": (f"static const char t[] = {{{NUMBERS}, 0}};\n", ("array",)),
    "PHP": ("$t = " + " . ".join(f"chr({byte})" for byte in RAW) + ";\n", ("array",)),
    "Basic": ("t = " + " & ".join(f"Chr$({byte})" for byte in RAW) + "\n", ("array",)),
    "SQL": ("SELECT " + " || ".join(f"NCHAR({byte})" for byte in RAW) + "\n", ("array",)),
    "characters in PowerShell": ("$t=" + "+".join(f"[char]{byte}" for byte in RAW), ("array",)),
    "characters at once": (f"$t = [char[]]({NUMBERS}) -join ''\n", ("array",)),
    "PowerShell": (f"powershell.exe -NoP -enc {wide(f'x {TOKEN} ')}\n", ("base64", "utf-16")),
    "an encoded command": (f"$a = @{{EncodedCommand = '{wide(TOKEN)}'}}\n", ("base64", "utf-16")),
    "wide words": (f"x: {wide('password: ' + TOKEN)}\n", ("base64", "utf-16")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_byte_by_byte_is_read(engine, name):
    text, way = WRITTEN[name]
    (match,) = engine.search(b"first\n" + text.encode())
    assert (match.secret, match.decoding) == (RAW, way)
    assert match.line >= 2


@pytest.mark.parametrize(
    "text", ["f(0x67, 0x68)\n", "t = bytes([300, 104, 112])\n", "{'a','b'}\n", f"[{NUMBERS}, 300]"]
)
def test_other_numbers_and_letters_are_nothing(engine, text):
    assert not engine.search(text.encode())


def made(form):
    key = {
        "ed": ed25519.Ed25519PrivateKey.generate,
        "PKCS1": lambda: rsa.generate_private_key(65537, 2048),
        "DSA": lambda: dsa.generate_private_key(2048),
    }.get(form, lambda: ec.generate_private_key(ec.SECP256R1()))()
    old = form in {"SEC1", "PKCS1", "DSA"}
    shape = forms.PrivateFormat.TraditionalOpenSSL if old else forms.PrivateFormat.PKCS8
    return [
        key.private_bytes(encoding, shape, forms.NoEncryption())
        for encoding in (forms.Encoding.DER, forms.Encoding.PEM)
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["SEC1", "PKCS8", "ed", "PKCS1", "DSA"])
@pytest.mark.parametrize("around", [b"", b"\x00\xff head"])
def test_a_key_in_der_is_the_same_as_in_pem(tmp_path, form, around):
    raw, pem = made(form)
    (tmp_path / "key.der").write_bytes(around + raw + around)
    (tmp_path / "key.pem").write_bytes(pem)
    (finding,) = scan(tmp_path)
    assert {place.path for place in finding.places} == {"key.der", "key.pem"}
    assert (finding.confidence, finding.verdict.checksum) == ("high", "valid")


def test_a_certificate_or_half_a_key_is_none(tmp_path):
    raw, _ = made("PKCS8")
    (tmp_path / "half.der").write_bytes(raw[: len(raw) // 2])
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "public.der").write_bytes(
        public.public_bytes(forms.Encoding.DER, forms.PublicFormat.SubjectPublicKeyInfo)
    )
    assert not len(scan(tmp_path))


FRAMELESS = {
    "on one line": lambda text: b"merchant.key=" + text.replace(b"\n", b"") + b"\n",
    "in quotes": lambda text: b"x = '" + text.replace(b"\n", b"") + b"'\n",
    "wrapped": lambda text: b"\n" + text,
}


@pytest.mark.parametrize("form", ["SEC1", "PKCS8", "ed", "PKCS1", "DSA"])
@pytest.mark.parametrize("around", FRAMELESS)
def test_a_key_without_its_frame_is_the_same_as_with_it(tmp_path, form, around):
    raw, pem = made(form)
    (tmp_path / "key.txt").write_bytes(FRAMELESS[around](base64.encodebytes(raw)))
    (tmp_path / "key.pem").write_bytes(pem)
    (finding,) = scan(tmp_path)
    assert {place.path for place in finding.places} == {"key.txt", "key.pem"}
    assert (finding.confidence, finding.verdict.checksum) == ("high", "valid")


def test_a_mark_at_the_head_of_a_framed_key_holds_for_the_key(tmp_path):
    _, pem = made("PKCS8")
    (tmp_path / "key.pem").write_bytes(pem.replace(b"-----\n", b"----- keywatch:allow\n", 1))
    report = scan(tmp_path)
    assert not len(report)


LOOKS = (
    arrays.in_calls,
    dumps.dump,
    dumps.apart,
    arrays.in_bytes,
    arrays.in_letters,
    arrays.in_numbers,
    der.key,
)


@given(
    st.sampled_from([*(text.encode() for text, _ in WRITTEN.values()), made("SEC1")[0]]),
    st.binary(max_size=40), st.integers(0, 300), st.integers(0, 300), st.integers(0, 60),
)  # fmt: skip
@settings(deadline=None)
def test_reading_stays_within_its_bounds(shape, noise, cut, at, spare):
    text = shape[:cut] + noise + shape[cut:]
    low, high = min(spare, len(text)), max(len(text) - spare, min(spare, len(text)))
    where = min(max(at, low), high)
    for look in LOOKS:
        region = look(text, where, low, high)
        if region is not None:
            assert low <= region.start <= region.end <= high


def test_der_that_nests_without_end_is_no_key():
    hostile = b"\x30\x82\xff\xff\x02\x01\x00\x30\x0d\x06\x09" * 5000
    noise = random.Random(1).randbytes(200_000) + b"0x41," * 50_000
    for text in (hostile, noise):
        for at in range(11, len(text), 1001):
            der.key(text, at, 0, len(text))
