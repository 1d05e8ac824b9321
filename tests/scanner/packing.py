"""Archives of every kind, made on the spot with nothing but the standard library."""

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
import zlib

import zstandard

_LONG, _STORED = 1 << 20, 1 << 16
_LZMA2 = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}


def zipped(files, kind=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def tarred(files, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return out.getvalue()


def ar(files):
    out = b"!<arch>\n"
    for name, text in files.items():
        head = f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(text):<10}`\n"
        out += head.encode() + text + b"\n" * (len(text) % 2)
    return out


def deb(files):
    data = lzma.compress(tarred(files))
    control = gzip.compress(tarred({"./control": b"Package: x\n"}))
    return ar({"debian-binary": b"2.0\n", "control.tar.gz": control, "data.tar.xz": data})


def cpio(files):
    out = b""
    for name, text in [*files.items(), ("TRAILER!!!", b"")]:
        raw = name.encode() + b"\0"
        fields = [0, 0o100644, 0, 0, 1, 0, len(text), 0, 0, 0, 0, len(raw), 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields)
        out += head + raw + b"\0" * (-(len(head) + len(raw)) % 4)
        out += text + b"\0" * (-len(text) % 4)
    return out


def rpm(files, compress=gzip.compress):
    def header(store):
        size = len(store).to_bytes(4)
        return b"\x8e\xad\xe8\x01" + bytes(4) + (1).to_bytes(4) + size + bytes(16) + store

    signature = header(b"signature")
    lead = b"\xed\xab\xee\xdb" + bytes(92)
    padding = bytes(-len(signature) % 8)
    return lead + signature + padding + header(b"#!/bin/sh\ntrue\n") + compress(cpio(files))


def _number(value):
    return b"\xff" + value.to_bytes(8, "little")


def sevenzip(files, method=b"\x21", *, encoded=False):
    """Write one folder with all files (7zFormat.txt), its table of contents packed or not."""
    packed, coder = _packed(b"".join(files.values()), method)
    total = sum(map(len, files.values()))
    names = b"".join(name.encode("utf-16-le") + b"\0\0" for name in files)
    streams = (
        _streams(0, len(packed), coder, total)
        + b"\x08\x0d" + _number(len(files))
        + (b"\x09" + b"".join(_number(len(t)) for t in list(files.values())[:-1])
           if len(files) > 1 else b"")
        + b"\x00\x00"
    )  # fmt: skip
    header = (
        b"\x01\x04" + streams + b"\x05" + _number(len(files))
        + b"\x11" + _number(len(names) + 1) + b"\0" + names + b"\x00\x00"
    )  # fmt: skip
    body = packed
    if encoded:
        inner, coder = _packed(header, b"\x21")
        body += inner
        header = b"\x17" + _streams(len(packed), len(inner), coder, len(header)) + b"\x00"
    start = _fixed(len(body)) + _fixed(len(header)) + bytes(4)
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(4) + start + body + header


def _fixed(value):
    return value.to_bytes(8, "little")


def _packed(text, method):
    if method == b"\x21":
        return _lzma2(text), b"\x21\x21\x01\x12"
    if method == b"\x03\x01\x01":
        filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 2}]
        packed = lzma.compress(text, lzma.FORMAT_RAW, filters=filters)
        return packed, b"\x23\x03\x01\x01\x05" + bytes([93]) + (1 << 20).to_bytes(4, "little")
    if method == b"\x04\x02\x02":
        return bz2.compress(text), b"\x03\x04\x02\x02"
    return text, bytes([len(method)]) + method


def _lzma2(text):
    """Pack it; what is long is noise, which stands in chunks as it is: to try takes seconds."""
    if len(text) < _LONG:
        return lzma.compress(text, lzma.FORMAT_RAW, filters=[_LZMA2])
    chunks = [text[at : at + _STORED] for at in range(0, len(text), _STORED)]
    heads = [b"\x01", *[b"\x02"] * (len(chunks) - 1)]
    told = ((len(chunk) - 1).to_bytes(2, "big") for chunk in chunks)
    return b"".join(map(b"".join, zip(heads, told, chunks, strict=True))) + b"\x00"


def _xz(text):
    """Return a file of one block without a check, as the format of .xz describes it."""
    packed, flags = _lzma2(text), b"\x00\x00"
    block = _checked(b"\x02\x00\x21\x01\x12" + bytes(3))
    sizes = _multibyte(len(block) + len(packed)) + _multibyte(len(text))
    index = b"\x00\x01" + sizes
    index = _checked(index + bytes(-len(index) % 4))
    back = (len(index) // 4 - 1).to_bytes(4, "little") + flags
    tail = zlib.crc32(back).to_bytes(4, "little") + back + b"YZ"
    body = block + packed + bytes(-len(packed) % 4)
    return b"\xfd7zXZ\x00" + _checked(flags) + body + index + tail


def _checked(text):
    return text + zlib.crc32(text).to_bytes(4, "little")


def _multibyte(value):
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _streams(at, size, coder, total):
    return (
        b"\x06" + _number(at) + b"\x01\x09" + _number(size) + b"\x00"
        + b"\x07\x0b\x01\x00\x01" + coder + b"\x0c" + _number(total) + b"\x00"
    )  # fmt: skip


def database(path, rows, *, wal=False):
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE account (id INTEGER, password TEXT, note TEXT)")
    connection.executemany("INSERT INTO account VALUES (?, ?, ?)", rows)
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.read_bytes()


ARCHIVES = {
    "zip": zipped,
    "stored": lambda files: zipped(files, zipfile.ZIP_STORED),
    "bzip2.zip": lambda files: zipped(files, zipfile.ZIP_BZIP2),
    "lzma.zip": lambda files: zipped(files, zipfile.ZIP_LZMA),
    "tar": tarred,
    "gnu.tar": lambda files: tarred(files, tarfile.GNU_FORMAT),
    "ustar.tar": lambda files: tarred(files, tarfile.USTAR_FORMAT),
    "tgz": lambda files: gzip.compress(tarred(files)),
    "tar.bz2": lambda files: bz2.compress(tarred(files)),
    "tar.xz": lambda files: _xz(tarred(files)),
    "tar.zst": lambda files: zstandard.compress(tarred(files)),
    "a": ar,
    "cpio": cpio,
    "rpm": rpm,
    "xz.rpm": lambda files: rpm(files, lzma.compress),
    "lzma.rpm": lambda files: rpm(files, lambda text: lzma.compress(text, lzma.FORMAT_ALONE)),
    "zst.rpm": lambda files: rpm(files, zstandard.compress),
    "lzma2.7z": sevenzip,
    "lzma.7z": lambda files: sevenzip(files, b"\x03\x01\x01"),
    "bzip2.7z": lambda files: sevenzip(files, b"\x04\x02\x02"),
    "copy.7z": lambda files: sevenzip(files, b"\x00"),
    "encoded.7z": lambda files: sevenzip(files, encoded=True),
}
