"""Secrets under encodings and in containers are found where they stand, with the way to them."""

import base64
import bz2
import gzip
import io
import lzma
import random
import string
import tarfile
import zipfile
from functools import partial

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from scanner import scan
from scanner.decode import ENCODINGS, base64_forms
from tests.scanner.secrets import BASE62, github_token, password
from vocabulary.errors import ExitCode

TOKEN = github_token()
LINE = f"token = '{TOKEN}'\n".encode()
WAYS = {encoding.name: encoding for encoding in ENCODINGS}


def b64(text):
    return base64.b64encode(text)


ENCODED = {
    "base64": (b"value: " + b64(LINE), ("base64",)),
    "base64 in a data URI": (b"data:text/plain;base64," + b64(LINE), ("base64",)),
    "base64, URL-safe": (b"v=" + base64.urlsafe_b64encode(b"\xff\xfe?" + LINE), ("base64",)),
    "base64, nested": (b"x: " + b64(b64(LINE)), ("base64", "base64")),
    "base64, wrapped": (
        b"-----\n" + base64.encodebytes(b"some words\n" * 20 + LINE + b"more words\n" * 20),
        ("base64",),
    ),
    "base64 in a Kubernetes secret": (
        b"apiVersion: v1\nkind: Secret\ndata:\n  token: " + b64(TOKEN.encode()) + b"\n",
        ("base64",),
    ),
    "hex": (b"blob = " + TOKEN.encode().hex().encode(), ("hex",)),
    "percent": (b"/?q=" + "".join(f"%{c:02x}" for c in TOKEN.encode()).encode(), ("percent",)),
    "unicode escapes": ("".join(f"\\u{c:04x}" for c in TOKEN.encode()).encode(), ("escape",)),
    "hex escapes": ("".join(f"\\x{c:02x}" for c in TOKEN.encode()).encode(), ("escape",)),
    "HTML entities": ("".join(f"&#{c};" for c in TOKEN.encode()).encode(), ("html",)),
    "UTF-16 LE": (LINE.decode().encode("utf-16"), ("utf-16",)),
    "UTF-16 BE": (LINE.decode().encode("utf-16-be"), ("utf-16",)),
    "base64, three deep": (b"x: " + b64(b64(b64(LINE))), ("base64",) * 3),
    "hex of base64": (b"x = " + b64(LINE).hex().encode(), ("hex", "base64")),
}


@pytest.mark.parametrize("name", ENCODED)
def test_an_encoded_secret_is_found(engine, name):
    text, decoding = ENCODED[name]
    found = engine.search(b"first line\n" + text + b"\n")
    assert [(m.secret.decode(), m.decoding) for m in found] == [(TOKEN, decoding)]
    assert found[0].line >= 2


def escaped(text, form, characters="/+=:@"):
    return "".join(form.format(ord(c), c) if c in characters else c for c in text)


FORMS = {
    "percent": ("%{0:02X}", "percent"),
    "JSON of .NET": ("\\u{0:04x}", "escape"),
    "XML": ("&#x{0:X};", "html"),
    "JSON of PHP": ("\\{1}", "escape"),
}
BASE64 = "".join(random.Random(7).choices(BASE62, k=84)) + "+" + "/x=="
PLAIN = {
    "key": ("AccountName=acme;Account" + "Key={};EndpointSuffix=core.windows.net", BASE64),
    "password": ("postgres://app:{}@db.acme.internal:5432/app", password(3, 16).replace("%", "x")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PLAIN)
def test_a_secret_is_found_where_only_some_characters_are_encoded(engine, name, form):
    (text, secret), (how, decoding) = PLAIN[name], FORMS[form]
    encode = partial(escaped, form=how, characters="/" if form == "JSON of PHP" else "/+=:@")
    line = f'{{"v": "{encode(text.format(secret))}"}}'
    found = engine.search(f"first line\n{line}\n".encode())
    assert [(m.secret.decode(), m.decoding) for m in found] == [(secret, (decoding,))]
    begin, end = found[0].start - len("first line\n"), found[0].end - len("first line\n")
    assert line[begin:end] == encode(secret)


def test_what_a_rule_finds_as_it_is_and_decoded_is_one(engine):
    signature = "".join(random.Random(6).choices(BASE62, k=43)) + "="
    query = (
        f"sv=2021-06-08&se=2026-01-02T03%3A04%3A05Z&sr=b&sp=r&sig={escaped(signature, '%{0:02X}')}"
    )
    found = engine.search(f"GET https://acme.blob.core.windows.net/a?{query} HTTP/1.1\n".encode())
    assert [(m.rule.id, m.decoding) for m in found] == [("azure-sas-token", ())]


def test_what_stands_open_in_a_line_hides_nothing_that_is_encoded_there(engine):
    key_id = "AKIA" + "".join(random.Random(4).choices(string.ascii_uppercase, k=16))
    secret = "".join(random.Random(5).choices(BASE62, k=38)) + "+/"
    form = "?AWSAccessKeyId={}&SecretAccessKey={}&x=1"
    found = engine.search(form.format(key_id, escaped(secret, "%{0:02X}")).encode())
    assert {m.secret.decode() for m in found} == {key_id, secret}


def test_a_word_that_was_cut_is_no_secret(engine):
    run = "".join(random.Random(8).choices(BASE62 + "_", k=9000)) + TOKEN + "x" * 9000
    assert engine.search((run[:9000] + "a%3Db%3Dc" + run[9000:]).encode()) == []


@given(
    st.binary(min_size=0, max_size=40), st.binary(min_size=5, max_size=12), st.binary(max_size=9)
)
def test_base64_shows_one_of_three_forms(before, text, after):
    encoded = base64.b64encode(before + text + after)
    assert any(form in encoded for form in base64_forms(text))


@given(
    st.sampled_from(sorted(WAYS)),
    st.binary(max_size=200),
    st.integers(0, 200),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_decoders_stay_within_their_bounds_whatever_the_bytes(name, data, at, low, spare):
    low, high = min(low, len(data)), max(len(data) - spare, min(low, len(data)))
    at = min(max(at, low), high)
    region = WAYS[name].decode(data, at, low, high)
    if region is not None:
        assert low <= region.start <= region.end + 1 <= high + 2


def members(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"d/{name}.txt")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return out.getvalue()


def zipped(name, text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return out.getvalue()


NOISE = random.Random(2).randbytes(3000)
CONTAINERS = {
    "a.zip": (zipped("in/x.env", LINE), "a.zip!in/x.env"),
    "a.gz": (gzip.compress(LINE), "a.gz"),
    "a.bz2": (bz2.compress(LINE), "a.bz2"),
    "a.xz": (lzma.compress(LINE), "a.xz"),
    "a.zst": (zstandard.compress(LINE), "a.zst"),
    "a.tar": (members(a=b"no\n", b=LINE), "a.tar!d/b.txt"),
    "a.tgz": (gzip.compress(members(a=NOISE, b=LINE)), "a.tgz!d/b.txt"),
    "zip.tar": (members(a=NOISE, b=zipped("x", LINE)), "zip.tar!d/b.txt!x"),
    "a.zip.gz": (gzip.compress(zipped("x", LINE)), "a.zip.gz!x"),
    "layer.tar": (
        members(layer=gzip.compress(members(etc=LINE))),
        "layer.tar!d/layer.txt!d/etc.txt",
    ),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_secret_in_a_container_is_found(tmp_path, name):
    content, path = CONTAINERS[name]
    (tmp_path / name).write_bytes(content)
    report = scan(tmp_path)
    assert [f.path for f in report] == [path]
    assert report.receipt.incomplete == []


def test_a_truncated_archive_is_read_as_far_as_it_goes_and_named(tmp_path):
    text = LINE + random.Random(1).randbytes(300_000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(text)[:200_000])
    report = scan(tmp_path)
    assert len(report) == 1
    assert report.receipt.exit_code == ExitCode.INCOMPLETE
    assert "a.gz" in report.receipt.incomplete[0]
    assert "damaged" in report.receipt.incomplete[0]


def test_an_archive_in_a_blob_is_opened(repo):
    repo.commit("lib.zip", zipped("conf.ini", LINE))
    (finding,) = scan(repo.path)
    assert (finding.path, finding.decoding) == ("lib.zip!conf.ini", ("zip",))


def test_a_bomb_is_not_unfolded_to_its_end_and_named(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\0" * (40 << 20)))
    receipt = scan(tmp_path).receipt
    assert receipt.exit_code == ExitCode.INCOMPLETE
    assert receipt.unfolded < 30 << 20
    assert "200-fold" in receipt.incomplete[0]


def test_archives_within_archives_end_somewhere(tmp_path):
    content = LINE
    for _ in range(9):
        content = gzip.compress(content)
    (tmp_path / "deep.gz").write_bytes(content)
    receipt = scan(tmp_path).receipt
    assert "nested deeper" in receipt.incomplete[0]


@given(st.binary(max_size=300), st.sampled_from([b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh91AY&SY"]))
def test_garbage_behind_a_magic_is_no_error(engine, noise, magic):
    assert engine.search(magic + noise) == []
