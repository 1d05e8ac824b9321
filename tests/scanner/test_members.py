"""Members of archives: how each kind names them, and what a broken one may not hide."""

import gzip
import io
import random
import sqlite3
import zipfile

import pytest

from scanner import scan
from tests.scanner import packing
from tests.scanner.packing import ARCHIVES
from tests.scanner.secrets import github_token

NOISE = random.Random(6)


def line(seed=1):
    return f"t = '{github_token(seed)}'\n".encode()


def scanned(folder, name, packed):
    (folder / name).write_bytes(packed)
    report = scan(folder)
    found = {place.path for finding in report for place in finding.places}
    return found, report.receipt.incomplete


def test_long_names_of_an_ar_archive_stand_in_a_table(tmp_path):
    table = b"a name of more than sixteen letters.o/\nanother.env/\n"
    packed = packing.ar({"x": b""})[:8]
    for name, text in ((b"//", table), (b"/0", line(1)), (b"/39", line(2))):
        head = name.ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"644".ljust(8)
        packed += head + str(len(text)).encode().ljust(10) + b"`\n" + text + b"\n" * (len(text) % 2)
    names = {"x.a!a name of more than sixteen letters.o", "x.a!another.env"}
    assert scanned(tmp_path, "x.a", packed) == (names, [])


@pytest.mark.parametrize("spoilt", [b"x" * 60, b"a/".ljust(48) + b"-1".ljust(10) + b"`\n"])
def test_an_ar_archive_without_a_header_where_one_should_be_is_named(tmp_path, spoilt):
    found, told = scanned(tmp_path, "x.a", packing.ar({"a.env": line()}) + spoilt)
    assert found == {"x.a!a.env"}
    assert any("no header where one should be" in one for one in told)


def entry(name=b"a.env\0", text=b"", magic=b"070701", **wrong):
    fields = {"size": b"%08X" % len(text), "named": b"%08X" % len(name)} | wrong
    zero = bytes.fromhex("30" * 8)
    head = magic + zero * 6 + fields["size"] + zero * 4 + fields["named"] + zero
    body = name + b"\0" * (-(len(head) + len(name)) % 4) + text
    return head + body + b"\0" * (-len(text) % 4)


def test_a_cpio_archive_holds_folders_and_may_lack_its_trailer(tmp_path):
    packed = entry(b"etc\0") + entry(b"etc/a.env\0", line())
    assert scanned(tmp_path, "x.cpio", packed) == ({"x.cpio!etc/a.env"}, [])


@pytest.mark.parametrize(
    "spoilt",
    [entry(size=b"no size."), entry(magic=b"170701"), entry(named=b"7FFFFFFF")],
    ids=["no-number", "no-magic", "endless-name"],
)
def test_a_cpio_archive_without_a_header_where_one_should_be_is_named(tmp_path, spoilt):
    found, told = scanned(tmp_path, "x.cpio", entry(text=line()) + spoilt)
    assert found == {"x.cpio!a.env"}
    assert any("no header where one should be" in one for one in told)


def test_the_comment_of_a_zip_archive_is_read_and_its_folders_are_passed_over(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("etc/", b"")
        archive.writestr("etc/a.env", line(1))
        archive.comment = line(2)
    names = {"x.zip!etc/a.env", "x.zip!(comment)"}
    assert scanned(tmp_path, "x.zip", out.getvalue()) == (names, [])


def test_a_member_of_a_zip_archive_without_its_own_header_hides_no_other(tmp_path):
    packed = packing.zipped({"a.env": line(1), "b.env": line(2), "c.env": line(3)})
    at = packed.index(b"PK\x03\x04", 4)
    found, told = scanned(tmp_path, "x.zip", packed[:at] + b"none" + packed[at + 4 :])
    assert found == {"x.zip!a.env", "x.zip!c.env"}
    assert any("b.env is damaged: BadZipFile" in one for one in told)


def test_a_zip_archive_that_lists_too_many_members_is_not_opened(tmp_path):
    packed = packing.zipped({"a.env": line()}) + b"PK\x01\x02" * 100_001
    found, told = scanned(tmp_path, "x.zip", packed)
    assert found == set()
    assert any("zip archive holds more than 100000 members" in one for one in told)


def test_archives_are_opened_five_deep_and_deeper_ones_are_named(tmp_path):
    packed = packing.zipped({"5.env": line(5)})
    for depth in (4, 3, 2, 1):
        packed = packing.zipped({"in.zip": packed, f"{depth}.env": line(depth)})
    inside = "x.zip" + "!in.zip" * 4
    found, told = scanned(tmp_path, "x.zip", packed)
    assert len(found) == 5
    assert f"{inside}!5.env" in found
    assert told == []
    found, told = scanned(tmp_path, "x.zip", packing.zipped({"in.zip": packed}))
    assert f"{inside}!5.env" not in found
    assert any("nested deeper than 5" in one for one in told)


@pytest.mark.parametrize("kind", ["tar", "a", "cpio", "copy.7z", "rpm"])
def test_a_long_archive_that_breaks_within_another_hides_nothing_behind_it(tmp_path, kind):
    broken = packing.ar({"x.env": line(1)}) + b"x" * 60 + NOISE.randbytes(3 << 20)
    packed = ARCHIVES[kind]({"in.a": broken, "behind.env": line(2)})
    found, told = scanned(tmp_path, f"x.{kind}", packed)
    assert found == {f"x.{kind}!in.a!x.env", f"x.{kind}!behind.env"}
    assert any("no header where one should be" in one for one in told)


def test_a_long_database_within_an_archive_is_read_by_its_tables_and_as_it_is(tmp_path):
    rows = [(at, github_token(1) if at == 900 else "x" * 700, "") for at in range(1000)]
    (tmp_path / "made").mkdir()
    database = packing.database(tmp_path / "made" / "a.db", rows)
    (tmp_path / "made" / "a.db").unlink()
    packed = gzip.compress(packing.tarred({"a.db": database, "behind.env": line(2)}))
    found, told = scanned(tmp_path, "x.tgz", packed)
    assert {"x.tgz!a.db!account", "x.tgz!behind.env"} <= found
    assert told == []


def test_a_database_whose_pages_are_gone_is_named_and_read_as_it_is(tmp_path):
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE gone (a TEXT)")
        connection.execute("CREATE TABLE whole (a TEXT)")
        connection.execute("INSERT INTO gone VALUES (?)", ("x" * 99,))
        connection.execute("INSERT INTO whole VALUES (?)", (line().decode(),))
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096] = 0  # the page of the first table is of no kind
    found, told = scanned(tmp_path, "a.db", content)
    assert any("whole" in one for one in found)
    assert any("gone" in one and "Error" in one for one in told)


def test_an_rpm_package_without_its_header_is_named(tmp_path):
    packed = packing.rpm({"a.env": line()})
    found, told = scanned(tmp_path, "x.rpm", packed[:96] + b"none" + packed[100:])
    assert found == set()
    assert any("rpm archive is damaged: no header" in one for one in told)


@pytest.mark.parametrize("kind", ["xz", "bz2"])
def test_what_was_compressed_in_pieces_is_read_to_its_end(tmp_path, kind):
    compress = __import__({"xz": "lzma", "bz2": "bz2"}[kind]).compress
    padding = b"\0" * 8 if kind == "xz" else b""
    packed = compress(line(1)) + padding + compress(line(2))
    found, told = scanned(tmp_path, f"x.{kind}", packed)
    assert found == {f"x.{kind}"}
    assert told == []
    assert len(list(scan(tmp_path))) == 2
