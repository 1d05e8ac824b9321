"""Secrets in dumps, in hex with something between the bytes, and in octal escapes."""

import pytest

from scanner import dumps
from tests.scanner.secrets import github_token, password

TOKEN = github_token()
RAW = b"POST /x HTTP/1.1\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
WORD = password(3, 20)
HEX = [f"{byte:02x}" for byte in TOKEN.encode()]


def shown(raw, form, of=16):
    """Show bytes as a dump does, `form` with the place, the hex and the text of each line."""
    lines = []
    for at in range(0, len(raw), of):
        part = raw[at : at + of]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(form(at, part, text))
    return "\n".join(lines) + "\n"


def xxd(at, part, text):
    return f"{at:08x}: {part.hex(' ', -2):<39}  {text}"


def canonical(at, part, text):
    pairs = part[:8].hex(" ") + "  " + part[8:].hex(" ")
    return f"{at:08x}  {pairs:<48}  |{text}|"


def tcpdump(at, part, text):
    return f"\t0x{at:04x}:  {part.hex(' ', -2):<39}  {text}"


def od(at, part, text):
    del text
    return f"{at:07o} {part.hex(' ')}"


FORMS = {"xxd": xxd, "hexdump -C": canonical, "tcpdump -X": tcpdump, "od": od}


@pytest.mark.parametrize("name", FORMS)
def test_a_secret_across_the_lines_of_a_dump_is_found_where_it_begins(engine, name):
    text = "some words\n\n" + shown(RAW, FORMS[name]) + "end\n"
    (match,) = (m for m in engine.search(text.encode(), "x") if m.decoding)
    assert (match.secret.decode(), match.decoding) == (TOKEN, ("dump",))
    assert match.line == 3 + RAW.index(TOKEN.encode()) // 16


def test_what_a_dump_says_counts_as_a_text(engine):
    raw = b'{"user": "ada", "password": "' + WORD.encode() + b'"}'
    found = engine.search(shown(raw, xxd).encode(), "x")
    assert WORD in {match.secret.decode() for match in found}


APART = {
    "blanks": " ".join(HEX),
    "colons": ":".join(HEX).upper(),
    "lines": " ".join(HEX[:20]) + " \n    " + " ".join(HEX[20:]),
    "wrapped": "00" * 20 + "".join(HEX[:10]) + "\n" + "".join(HEX[10:]) + "0a" * 10,
}


@pytest.mark.parametrize("name", APART)
def test_hex_with_something_between_is_read(engine, name):
    (match,) = engine.search(f"x\nt = {APART[name]}\n".encode())
    assert (match.secret.decode(), match.decoding, match.line) == (TOKEN, ("hex",), 2)


OCTAL = {
    "C": ("\\{0:o}", 'char t[] = "{}";\n'),
    "a shell": ("\\{0:03o}", "t=$'{}'\n"),
    "printf": ("\\0{0:o}", "printf %b '{}'\n"),
    "JSON around it": ("\\\\{0:03o}", '{{"x": "{}"}}\n'),
}


@pytest.mark.parametrize("name", OCTAL)
def test_octal_escapes_are_read(engine, name):
    form, line = OCTAL[name]
    text = line.format("".join(form.format(byte) for byte in TOKEN.encode()))
    (match,) = engine.search(text.encode())
    assert (match.secret.decode(), match.decoding) == (TOKEN, ("escape",))


def test_a_fingerprint_in_hex_is_nothing(engine):
    text = "MD5 " + ":".join(f"{byte:02x}" for byte in range(60, 76)) + "\n"
    assert not engine.search(text.encode())


def test_a_dump_without_end_is_read_in_parts():
    text = shown(b"password = " * 40_000, xxd).encode()
    region = dumps.dump(text, 60, 0, len(text))
    assert region.text.startswith(b"password = password")
    assert region.end <= len(text)
