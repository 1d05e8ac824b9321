"""What 7z writes besides, and tables of contents that lie: read, or named and left."""

import zlib

import pytest

from scanner import scan
from tests.scanner.secrets import github_token

MAGIC = b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(4)
COPY, LZMA, LZMA2, DEFLATE = b"\x01\x00", b"\x03\x03\x01\x01", b"\x21\x21\x01", b"\x03\x04\x01\x08"
X86, BCJ2 = b"\x04\x03\x03\x01\x03", b"\x14\x03\x03\x01\x1b\x04\x01"
HUGE = b"\xff" + (1 << 60).to_bytes(8, "little")


def line(seed=1):
    return f"t = '{github_token(seed)}'\n".encode()


def archive(header, body=b""):
    start = len(body).to_bytes(8, "little") + len(header).to_bytes(8, "little") + bytes(4)
    return MAGIC + start + body + header


def number(value):
    """Write it in as few bytes as 7z does."""
    if value < 0x80:
        return bytes([value])
    if value < 0x4000:
        return bytes([0x80 | value >> 8, value & 0xFF])
    return b"\xff" + value.to_bytes(8, "little")


def pack(*sizes, more=b""):
    named = b"".join(map(number, sizes))
    return b"\x06\x00" + number(len(sizes)) + b"\x09" + named + more + b"\x00"


def folders(*coders, sizes, pairs=b"", count=1, more=b""):
    """Write one folder, so many times."""
    one = number(len(coders)) + b"".join(coders) + pairs
    out = b"".join(map(number, sizes)) * count
    return b"\x07\x0b" + number(count) + b"\x00" + one * count + b"\x0c" + out + more + b"\x00"


def names(*given, more=b""):
    text = b"\0" + b"".join(name.encode("utf-16-le") + b"\0\0" for name in given)
    return b"\x05" + number(len(given)) + more + b"\x11" + number(len(text)) + text + b"\x00"


def contents(*parts):
    return b"\x01\x04" + b"".join(parts) + b"\x00"


def scanned(folder, packed):
    (folder / "x.7z").write_bytes(packed)
    (folder / "beside.env").write_bytes(line(7))
    report = scan(folder)
    found = {place.path for finding in report for place in finding.places}
    assert "beside.env" in found
    return found - {"beside.env"}, report.receipt.incomplete


def one_file(folder, coders, packed, *, pairs=b""):
    sizes = [len(line())] * len(coders)
    header = contents(
        pack(len(packed)), folders(*coders, sizes=sizes, pairs=pairs), b"\x00", names("a.env")
    )
    return scanned(folder, archive(header, packed))


def test_an_empty_archive_holds_nothing(tmp_path):
    assert scanned(tmp_path, archive(b"")) == (set(), [])


def test_deflated_files_are_read(tmp_path):
    packed = zlib.compress(line(), wbits=-15)
    assert one_file(tmp_path, [DEFLATE], packed) == ({"x.7z!a.env"}, [])


def test_what_a_filter_for_machine_code_leaves_of_text_is_read(tmp_path):
    packed = zlib.compress(line(), wbits=-15)
    assert one_file(tmp_path, [X86, DEFLATE], packed, pairs=b"\x00\x01") == ({"x.7z!a.env"}, [])


def test_sums_and_empty_files_and_those_without_names_are_passed_over(tmp_path):
    """As 7z writes them: of packed streams, of folders, of files, of all and of some."""
    text = line(1) + line(2)
    header = contents(
        pack(len(text), more=b"\x0a\x01" + bytes(4)),
        folders(COPY, sizes=[len(text)], more=b"\x0a\x01" + bytes(4)),
        b"\x08\x0d\x02\x09" + number(len(line(1))) + b"\x0a\x00\x80" + bytes(4) + b"\x00\x00",
        names("empty", "a.env", more=b"\x0e\x01\x80"),  # the first of both
    )
    assert scanned(tmp_path, archive(header, text)) == ({"x.7z!a.env", "x.7z!(file 0)"}, [])


def test_one_folder_that_cannot_be_opened_holds_up_no_other(tmp_path):
    text = line()
    coders = b"\x01" + b"\x03\x03\x04\x01" + b"\x01" + COPY  # PPMd, then as it is
    header = contents(
        pack(4, len(text)),
        b"\x07\x0b\x02\x00" + coders + b"\x0c\x04" + number(len(text)) + b"\x00",
        b"\x00",
        names("a", "b.env"),
    )
    found, told = scanned(tmp_path, archive(header, b"none" + text))
    assert found == {"x.7z!b.env"}
    assert [one for one in told if "a: it is packed in a way that is not known" in one]


BAD = {
    "no-table": (b"\x05\x00", "no table of contents"),
    "unknown-field": (b"\x01\x63", "a field that is not known"),
    "unknown-streams": (contents(b"\x63"), "a field that is not known"),
    "no-folders": (contents(pack(4), b"\x07\x05"), "no folders"),
    "folders-elsewhere": (contents(pack(4), b"\x07\x0b\x01\x01"), "folders that stand elsewhere"),
    "no-sizes": (
        contents(pack(4), b"\x07\x0b\x01\x00\x01" + COPY + b"\x00\x00"), "folders without sizes",
    ),
    "few-streams": (
        contents(pack(4), folders(COPY, sizes=[4], count=3), b"\x00"), "more streams are named",
    ),
    "no-streams": (
        contents(folders(b"\x11\x00\x00\x01", sizes=[4]), b"\x00", names("a")), "damaged",
    ),
    "large-files": (
        contents(pack(4), folders(COPY, sizes=[4]), b"\x08\x0d\x02\x09\x09\x00\x00"),
        "files that are larger than what holds them",
    ),
    "many-streams": (contents(b"\x06\x00" + HUGE), "holds more than"),
    "long-name": (b"\x01\x05\x01\x11" + HUGE, "a length is none"),
    "cut-off": (b"\x01\x04\x06", "ends too early"),
    "lzma": (contents(pack(4), folders(LZMA, sizes=[4]), b"\x00"), "LZMA without its properties"),
    "lzma2": (
        contents(pack(4), folders(LZMA2 + b"\x29", sizes=[4]), b"\x00"),
        "LZMA2 without its properties",
    ),
    "dictionary": (
        contents(pack(4), folders(LZMA2 + b"\x28", sizes=[1 << 30]), b"\x00"),
        "it needs a dictionary of more than 256 MiB",
    ),
    "bcj2": (
        contents(pack(1, 1, 1, 1), folders(BCJ2, sizes=[4], pairs=b"\x00\x01\x02\x03"), b"\x00"),
        "(BCJ2)",
    ),
    "packed-table-of-two": (
        b"\x17" + pack(4) + folders(COPY, sizes=[4], count=2) + b"\x00", "more streams are named",
    ),
    "long-packed-table": (
        b"\x17" + pack(4) + folders(COPY, sizes=[1 << 30]) + b"\x00",
        "a table of contents that is too long",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_table_of_contents_that_lies_is_named_and_costs_nothing_else(tmp_path, name):
    header, said = BAD[name]
    found, told = scanned(tmp_path, archive(header, b"none"))
    assert found == set()
    assert [one for one in told if "x.7z" in one and said in one], told


def test_a_table_of_contents_that_is_too_long_is_not_read(tmp_path):
    start = bytes(8) + (1 << 40).to_bytes(8, "little") + bytes(4)
    found, told = scanned(tmp_path, MAGIC + start)
    assert found == set()
    assert ["too long" in one for one in told] == [True]


def test_an_archive_that_is_cut_off_gives_what_came_before(tmp_path):
    text = line(1) + line(2)
    header = contents(
        pack(len(line(1)) + 9),
        folders(COPY, sizes=[len(text)]),
        b"\x08\x0d\x02\x09" + number(len(line(1))) + b"\x00\x00",
        names("a.env", "b.env"),
    )
    found, told = scanned(tmp_path, archive(header, text[: len(line(1)) + 9]))
    assert found == {"x.7z!a.env"}
    assert any("b.env is damaged: it ends too early" in one for one in told)
