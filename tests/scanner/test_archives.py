"""Every kind of container, small and long, whole and broken, honest and hostile."""

import gzip
import io
import os
import random
import shutil
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner import scan
from scanner.archives import kinds, reading, sqlite, unfold
from tests.scanner import packing
from tests.scanner.packing import ARCHIVES
from tests.scanner.secrets import github_token, password
from vocabulary.errors import ExitCode
from vocabulary.finding import Confidence

NOISE = random.Random(5)


def line(seed=1):
    return f"t = '{github_token(seed)}'\n".encode()


def found(report):
    return {place.path for finding in report for place in finding.places}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_secret_in_every_kind_is_told_under_its_members_name(tmp_path, kind):
    files = {"etc/a.txt": b"nothing\n", "etc/b.env": line(1), "c" * 90 + "/d.txt": line(2)}
    if kind == "a":
        files = {"a.txt": b"nothing\n", "b.env": line(1), "d.txt": line(2)}
    (tmp_path / f"x.{kind}").write_bytes(ARCHIVES[kind](files))
    report = scan(tmp_path)
    assert found(report) == {f"x.{kind}!{name}" for name in list(files)[1:]}
    assert report.receipt.incomplete == []


@pytest.mark.parametrize("kind", ["tar", "gnu.tar", "ustar.tar"])
def test_names_that_do_not_fit_in_a_tars_header_are_told_whole(tmp_path, kind):
    names = ["n" * 20 + "/" + "d" * 90, "e" * 120 + "/f.env", "short.env"]
    files = {name: line(seed) for seed, name in enumerate(names, 1)}
    (tmp_path / f"x.{kind}").write_bytes(ARCHIVES[kind](files))
    report = scan(tmp_path)
    assert found(report) == {f"x.{kind}!{name}" for name in names}
    assert report.receipt.incomplete == []


def test_a_tars_size_counts_as_pax_or_gnu_tells_it(tmp_path):
    """Where eight octal digits would not do; the sizes are small here, and written in that way."""
    for kind, own in (("pax", {"size": str(len(line()))}), ("gnu", {})):
        out = io.BytesIO()
        entry = tarfile.TarInfo("a.env")
        entry.size, entry.pax_headers = len(line()), own
        form = tarfile.PAX_FORMAT if own else tarfile.GNU_FORMAT
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            archive.addfile(entry, io.BytesIO(line()))
        packed = bytearray(out.getvalue())
        head = packed.index(b"a.env\0")
        size = b"\x80" + len(line()).to_bytes(11, "big") if not own else b"00000000000\0"
        packed[head + 124 : head + 136] = size
        packed[head + 148 : head + 156] = b" " * 8
        packed[head + 148 : head + 156] = b"%06o\0 " % sum(packed[head : head + 512])
        (tmp_path / f"{kind}.tar").write_bytes(packed)
    report = scan(tmp_path)
    assert found(report) == {"pax.tar!a.env", "gnu.tar!a.env"}
    assert report.receipt.incomplete == []


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz", "tar.xz", "lzma2.7z", "rpm"])
def test_a_long_archive_is_opened_where_it_lies(tmp_path, kind):
    noise = NOISE.randbytes(9 << 20)
    files = {"a.bin": noise, "b.txt": line(1), "deep.zip": packing.zipped({"c.txt": line(2)})}
    (tmp_path / f"x.{kind}").write_bytes(ARCHIVES[kind](files))
    report = scan(tmp_path)
    assert found(report) == {f"x.{kind}!b.txt", f"x.{kind}!deep.zip!c.txt"}
    assert report.receipt.incomplete == []


def test_a_long_archive_within_an_archive_is_opened(tmp_path):
    inner = packing.zipped({"noise": NOISE.randbytes(9 << 20), "in.txt": line()})
    (tmp_path / "x.tgz").write_bytes(gzip.compress(packing.tarred({"lib/inner.zip": inner}), 1))
    assert found(scan(tmp_path)) == {"x.tgz!lib/inner.zip!in.txt"}


def test_a_debian_package_as_debian_makes_it(tmp_path):
    (tmp_path / "x.deb").write_bytes(packing.deb({"./etc/x.conf": line()}))
    assert found(scan(tmp_path)) == {"x.deb!data.tar.xz!./etc/x.conf"}


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg is not here")
def test_a_debian_package_made_by_dpkg(tmp_path):
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    control = "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.example>\n"
    (root / "DEBIAN" / "control").write_text(control + "Description: x\n")
    (root / "DEBIAN" / "postinst").write_bytes(b"#!/bin/sh\n" + line(1))
    (root / "DEBIAN" / "postinst").chmod(0o755)
    (root / "conf.ini").write_bytes(line(2))
    (tmp_path / "out").mkdir()
    subprocess.run(["dpkg-deb", "-b", root, tmp_path / "out" / "x.deb"], check=True)
    report = scan(tmp_path / "out")
    assert {path.rpartition("!")[2] for path in found(report)} == {"./postinst", "./conf.ini"}
    assert report.receipt.incomplete == []


@pytest.mark.skipif(not shutil.which("7z"), reason="7z is not here")
@pytest.mark.parametrize("how", [[], ["-m0=lzma"], ["-m0=bzip2"], ["-m0=copy"], ["-ms=off"]])
def test_what_7z_itself_makes(tmp_path, how):
    (tmp_path / "a.txt").write_bytes(line(1))
    (tmp_path / "b.bin").write_bytes(NOISE.randbytes(50_000))
    (tmp_path / "c.txt").write_bytes(line(2))
    (tmp_path / "out").mkdir()
    packed = tmp_path / "out" / "x.7z"
    subprocess.run(
        ["7z", "a", "-bd", *how, packed, "a.txt", "b.bin", "c.txt"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    report = scan(tmp_path / "out")
    assert found(report) == {"x.7z!a.txt", "x.7z!c.txt"}
    assert report.receipt.incomplete == []


def test_what_is_packed_in_an_unknown_way_or_encrypted_is_named(tmp_path):
    (tmp_path / "a.7z").write_bytes(packing.sevenzip({"a": line()}, b"\x03\x04\x01"))
    (tmp_path / "b.7z").write_bytes(packing.sevenzip({"b": b"\1" * 64}, b"\x06\xf1\x07\x01"))
    receipt = scan(tmp_path).receipt
    assert receipt.exit_code == ExitCode.INCOMPLETE
    assert any("not known here" in said for said in receipt.incomplete)
    assert any("b: it is encrypted" in said for said in receipt.incomplete)


def test_an_encrypted_member_of_a_zip_is_named_and_the_others_are_read(tmp_path):
    raw = bytearray(ARCHIVES["zip"]({"a.env": line(1), "b.env": line(2)}))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        raw[raw.index(mark) + flags] |= 1  # of the first member
    (tmp_path / "x.zip").write_bytes(raw)
    report = scan(tmp_path)
    assert found(report) == {"x.zip!b.env"}
    assert any("a.env is encrypted" in said for said in report.receipt.incomplete)


def headed(raw, field, value):
    """Return a tar archive with a field of its first header written anew, and its sum."""
    block = bytearray(raw[:512])
    block[field : field + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + raw[512:]


def test_a_tar_member_whose_size_is_left_blank_is_empty(tmp_path):
    empty = headed(packing.tarred({"none": b""}, tarfile.USTAR_FORMAT), 124, b" " * 12)[:512]
    (tmp_path / "x.tar").write_bytes(empty + packing.tarred({"a.env": line()}))
    report = scan(tmp_path)
    assert found(report) == {"x.tar!a.env"}
    assert report.receipt.incomplete == []


def test_a_pax_record_of_no_length_ends_its_header(tmp_path):
    record = b"0 path=never\n"
    head = headed(packing.tarred({"h": b"x" * len(record)}, tarfile.USTAR_FORMAT), 156, b"x")[:512]
    body = record.ljust(512, b"\0")
    (tmp_path / "x.tar").write_bytes(head + body + packing.tarred({"a.env": line()}))
    assert len(found(scan(tmp_path))) == 1


def test_a_stream_gives_what_was_put_back_first():
    for size in (1, 3, 100):
        stream = io.BufferedReader(reading.Stream(b"abc", io.BytesIO(b"defg").read), size)
        assert stream.read() == b"abcdefg"
    assert reading.Stream(b"abc", io.BytesIO(b"defg").read).read() == b"abcdefg"


def test_a_tar_archive_is_read_beyond_its_end_mark(tmp_path):
    both = packing.tarred({"a": b"x\n"}) + packing.tarred({"hidden": line()})
    (tmp_path / "x.tar").write_bytes(both)
    assert found(scan(tmp_path)) == {"x.tar!hidden"}


def test_what_only_looks_like_an_archive_is_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"070701 is a number\n" + line(1))
    (tmp_path / "b.txt").write_bytes(b"!<arch>\nno such thing\n" + line(2))
    (tmp_path / "c.txt").write_bytes(b"x" * 257 + b"ustar \n" + line(3) + b"y" * (3 << 20))
    report = scan(tmp_path)
    assert found(report) == {"a.txt", "b.txt", "c.txt"}
    assert report.receipt.exit_code == ExitCode.INCOMPLETE


def test_many_small_members_are_one_piece(tmp_path):
    files = {f"d/{n}.txt": b"%d\n" % n for n in range(20_000)} | {"last": line()}
    (tmp_path / "x.tar").write_bytes(packing.tarred(files, tarfile.USTAR_FORMAT))
    report = scan(tmp_path)
    assert found(report) == {"x.tar!last"}
    budget = unfold.Budget(1)
    with (tmp_path / "x.tar").open("rb") as raw:
        pieces = list(unfold.unfold(kinds.kind_of(raw.read(512)), _back(raw), budget))
    assert sum(len(piece.names) for piece in pieces) == 20_001
    assert len(pieces) < 5


def _back(raw):
    raw.seek(0)
    return raw


def test_a_database_gives_values_the_names_of_their_columns(tmp_path):
    secret = password(4, 20)
    rows = [(1, secret, "n"), (2, "hello", "x" * 9000 + " " + github_token())]
    for name, wal in (("a.db", False), ("b.db", True)):
        packing.database(tmp_path / name, rows, wal=wal)
    (tmp_path / "x.zip").write_bytes(packing.zipped({"in.db": (tmp_path / "a.db").read_bytes()}))
    from scanner import ScanOptions  # noqa: PLC0415

    report = scan(tmp_path, ScanOptions(confidence=Confidence.LOW))
    (by_column,) = [f for f in report if f.rule.startswith("generic")]
    assert {p.path for p in by_column.places} == {
        "a.db!account", "b.db!account", "x.zip!in.db!account",
    }  # fmt: skip
    assert {f.verdict.checksum for f in report} == {"none", "valid"}
    assert report.receipt.incomplete == []


def test_the_schema_of_a_database_runs_nothing(tmp_path):
    import sqlite3  # noqa: PLC0415

    file = tmp_path / "x.db"
    connection = sqlite3.connect(file)
    connection.executescript(
        "CREATE TABLE t (password TEXT, made TEXT "
        "GENERATED ALWAYS AS (printf('%.*c', 20000, 'x')), kept TEXT "
        "GENERATED ALWAYS AS (lower('K')) STORED);"
        f"INSERT INTO t (password) VALUES ('{github_token()}');"
        "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c)"
        " SELECT x FROM c;"
        'CREATE TABLE "; DROP TABLE t" (secret TEXT);'
        "CREATE TABLE made (x TEXT GENERATED ALWAYS AS (printf('%.*c', 20000, 'x')), y TEXT);"
    )
    connection.close()
    with file.open("rb") as raw:
        read = {name: reading.filled(some, 99_999) for name, some in sqlite.members(raw, print)}
    row = f"password = '{github_token()}'\nkept = 'k'\n".encode()
    assert read == {"t": row, "; DROP TABLE t": b"", "made": b""}
    assert {path.partition("!")[0] for path in found(scan(tmp_path))} == {"x.db"}


def test_words_that_an_office_program_cut_are_joined(tmp_path):
    token = github_token()
    run = "</w:t></w:r><w:proofErr w:type='spellStart'/><w:r w:rsidR='1'><w:rPr><w:b/></w:rPr><w:t>"
    document = f"<w:p><w:r><w:t>a</w:t></w:r></w:p><w:p><w:r><w:t>t {token[:9]}{run}{token[9:]}"
    sheet = f"<si><r><t>{token[:20]}</t></r><r><rPr><b/></rPr><t xml:space='x'>{token[20:]}</t>"
    text = f"<text:p>{token[:5]}<text:span text:style-name='x'>{token[5:]}</text:span></text:p>"
    for name, inner, xml in (
        ("a.docx", "word/document.xml", document + "</w:t></w:r></w:p>"),
        ("b.xlsx", "xl/sharedStrings.xml", sheet + "</r></si>"),
        ("c.odt", "content.xml", text),
    ):
        (tmp_path / name).write_bytes(packing.zipped({inner: xml}))
    (finding,) = scan(tmp_path)
    assert {(p.path, p.line) for p in finding.places} == {
        ("a.docx!word/document.xml", 2), ("b.xlsx!xl/sharedStrings.xml", 1),
        ("c.odt!content.xml", 1),
    }  # fmt: skip


def test_zeros_without_end_are_not_unfolded(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        with packed.open("zeros", "w", force_zip64=True) as member:
            for _ in range(24):
                member.write(bytes(16 << 20))
        packed.writestr("after.txt", line())
    (tmp_path / "x.zip").write_bytes(out.getvalue())
    receipt = scan(tmp_path).receipt
    assert receipt.exit_code == ExitCode.INCOMPLETE
    assert receipt.unfolded < 300 << 20
    assert "200-fold" in receipt.incomplete[0]


def test_a_zip_whose_members_overlap_ends(tmp_path):
    """Many entries name the same bytes: each unfolds them anew."""
    kernel = zlib.compress(bytes(8 << 20), 9)[2:-4]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("a", bytes(8 << 20), zipfile.ZIP_DEFLATED)
    raw = out.getvalue()
    assert kernel in raw
    start = raw.index(b"PK\x01\x02")
    entry = raw[start : raw.index(b"PK\x05\x06")]
    count = 3000
    end = bytearray(raw[raw.index(b"PK\x05\x06") :])
    end[8:12] = count.to_bytes(2, "little") * 2
    end[12:16] = (count * len(entry)).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(raw[:start] + entry * count + end)
    receipt = scan(tmp_path).receipt
    assert receipt.exit_code == ExitCode.INCOMPLETE
    assert receipt.unfolded < 300 << 20


def test_a_member_without_a_name_hides_nothing(tmp_path):
    raw = packing.zipped({"x": "nothing\n", "a.txt": line()})
    at = raw.index(b"PK\x01\x02") + 28
    (tmp_path / "x.zip").write_bytes(raw[:at] + b"\0\0\1\0" + raw[at + 4 :])
    report = scan(tmp_path)
    assert [finding.path for finding in report] == ["x.zip!a.txt"]


def test_a_document_that_breaks_does_not_hide_what_follows(tmp_path):
    words = "".join(f"<w:t>{number * 7919}</w:t>" for number in range(5000))
    raw = bytearray(packing.zipped({"word/document.xml": words, "a.txt": line()}))
    raw[2000:2060] = bytes(60)
    (tmp_path / "x.docx").write_bytes(raw)
    report = scan(tmp_path)
    assert [finding.path for finding in report] == ["x.docx!a.txt"]


def test_a_reader_gone_mad_is_bounded_in_memory(tmp_path):
    """An xz header that asks for gigabytes, a 7z dictionary of four."""
    text = line() + bytes(100)
    packed = bytearray(packing.sevenzip({"a": text}, b"\x03\x01\x01"))
    at = packed.index(bytes([93]) + (1 << 20).to_bytes(4, "little"))
    packed[at + 1 : at + 5] = b"\xff\xff\xff\xff"
    (tmp_path / "x.7z").write_bytes(packed)
    assert found(scan(tmp_path)) == {"x.7z!a"}


PACKED = "zip bzip2.zip lzma.zip tgz tar.bz2 tar.xz tar.zst lzma.7z lzma2.7z bzip2.7z xz.rpm"


@pytest.mark.parametrize("kind", PACKED.split())
def test_a_member_that_unfolds_to_much_is_never_held_whole(kind):
    raw = io.BytesIO(ARCHIVES[kind]({"a": bytes(48 << 20)}))
    budget = unfold.Budget(48 << 20)
    container = kinds.kind_of(raw.getvalue())
    tracemalloc.start()
    try:
        read = sum(len(piece.data) for piece in unfold.unfold(container, raw, budget))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read >= 48 << 20
    assert budget.notes == []
    assert peak < 40 << 20


@pytest.mark.parametrize("kind", ["bzip2.zip", "lzma.zip"])
def test_a_member_whose_checksum_does_not_fit_is_damaged(tmp_path, kind):
    raw = bytearray(ARCHIVES[kind]({"a": line()}))
    raw[raw.index(b"PK\x01\x02") + 16] ^= 1
    (tmp_path / "x.zip").write_bytes(raw)
    report = scan(tmp_path)
    assert found(report) == {"x.zip!a"}
    assert "checksum" in report.receipt.incomplete[0]


@settings(
    deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(sorted(ARCHIVES)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
    st.binary(max_size=20),
)
def test_a_broken_archive_is_no_error_and_what_it_hides_is_named(engine, kind, edits, cut, tail):
    raw = bytearray(WHOLE[kind])
    for where, byte in edits:
        raw[int(where * (len(raw) - 1))] = byte
    raw = bytes(raw[: max(20, int(cut * len(raw)) if cut < 0.9 else len(raw))]) + tail
    budget = unfold.Budget(len(raw))
    opened = kinds.kind_of(raw)
    if opened is None:
        return
    size = 0
    for piece in unfold.unfold(opened, io.BytesIO(raw), budget):
        assert len(piece.names) == len(piece.starts) == len(piece.ends)
        size += sum(piece.ends) - sum(piece.starts)
    assert size <= unfold.MAX_BYTES
    engine.search(raw)


WHOLE = {
    kind: make(
        {"a.txt": b"some text\n" * 9, "b.txt": b"more\n", "c.zip": packing.zipped({"d": b"e"})}
    )
    for kind, make in ARCHIVES.items()
}


@given(st.binary(max_size=600), st.sampled_from(kinds.CONTAINERS))
@settings(deadline=None, max_examples=100)
def test_garbage_behind_any_magic_is_no_error(noise, kind):
    head = bytearray(kind.at)
    magic = {"tar": b"ustar\0", "bzip2": b"BZh91AY&SY", "cpio": b"070701"}.get(kind.name)
    magic = magic or kind.magic.encode().decode("unicode_escape").encode("latin-1")
    head[kind.at - kind.width :] = magic
    raw = bytes(head) + noise
    assert kinds.kind_of(raw) == kind
    for _ in unfold.unfold(kind, io.BytesIO(raw), unfold.Budget(len(raw))):
        pass


def test_nothing_of_an_archive_is_left_in_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    os.makedirs(tmp_path / "t")  # noqa: PTH103
    monkeypatch.setattr(reading, "_SPOOLED", 1000)
    inner = packing.zipped({"noise": NOISE.randbytes(400_000), "in.txt": line()})
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.tgz").write_bytes(gzip.compress(packing.tarred({"a.zip": inner}), 1))
    assert len(scan(tmp_path / "in")) == 1
    assert not os.listdir(tmp_path / "t")  # noqa: PTH208
