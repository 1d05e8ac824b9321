"""Zip archives: jars, wheels, packages of programs, office documents."""

import bz2
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy
from typing import IO

from scanner import inflate
from scanner.archives.coders import lzma1, through
from scanner.archives.kinds import MAX_MEMBERS
from scanner.archives.reading import DamagedError, LimitError, Read, broken, exactly, limited

_TEXT = re.compile(
    r"word/.*\.xml|ppt/(?:slides|notesSlides|comments)/.*\.xml|xl/sharedStrings\.xml|content\.xml"
)
_JOINED = re.compile(
    rb"</(?P<p>[wa]:|)t></(?P=p)r>(?:<[wa]:(?:proofErr|bookmark\w+|lastRenderedPageBreak)[^<>]*>)*"
    rb"<(?P=p)r(?: [^<>]*)?>(?:<(?P=p)rPr(?: [^<>]*)?/>|<(?P=p)rPr(?: [^<>]*)?>"
    rb"(?:(?!</(?P=p)rPr>)[\s\S]){0,2000}</(?P=p)rPr>)?<(?P=p)t(?: [^<>]*)?>"
)
_SPAN = b"<text:span "
_SPANS = re.compile(rb"</text:span>(?:<text:span [^<>]*>)?|(?<!</text:span>)<text:span [^<>]*>")
_PARAGRAPH = re.compile(rb"(</(?:w:p|a:p|si|text:p|text:h)>)")
_DOCUMENT = 16 << 20


def members(raw: IO[bytes], note: Callable[[str], None]) -> Iterator[tuple[str, Read]]:
    """Open a zip archive.

    Raises:
        LimitError: it lists too many members.
    """
    if _central_entries(raw) > MAX_MEMBERS:
        raise LimitError(f"holds more than {MAX_MEMBERS} members")
    with zipfile.ZipFile(raw) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith("/"):
                continue
            if entry.flag_bits & 1:
                note(f"{entry.filename} is encrypted")
                continue
            try:
                stream = archive.open(_as_it_lies(entry))
                read = _unpacked(entry, stream)
            except broken() as error:
                note(f"{entry.filename} is damaged: {type(error).__name__}")
                continue
            with stream:
                yield entry.filename, _readable(entry, read)
        if archive.comment:
            yield "(comment)", io.BytesIO(archive.comment).read


def _as_it_lies(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Return an entry whose bytes are read as they are packed.

    Of deflate alone `zipfile` unpacks no more than it is asked for; of a few kilobytes of bzip2 or
    LZMA it makes gigabytes at once.
    """
    if entry.compress_type in _PLAIN:
        return entry
    packed = copy(entry)
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, entry.compress_size
    del packed.CRC  # it is of what comes out
    return packed


_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _unpacked(entry: zipfile.ZipInfo, stream: IO[bytes]) -> Read:
    """Return what reads an entry's contents.

    Raises:
        DamagedError: it is packed by a method that is not known here, or badly.
    """
    if entry.compress_type == zipfile.ZIP_DEFLATED and hasattr(stream, "_decompressor"):
        stream._decompressor = inflate.unpacker(-15)  # noqa: SLF001  (the only way to another one)
    read: Read = getattr(stream, "read1", stream.read)
    if entry.compress_type in _PLAIN:
        return read
    if entry.compress_type == zipfile.ZIP_BZIP2:
        read = through(read, bz2.BZ2Decompressor())
    elif entry.compress_type == zipfile.ZIP_LZMA:
        properties = exactly(read, int.from_bytes(exactly(read, 4)[2:], "little"))
        chain = [lzma1(properties, entry.file_size)]
        read = through(read, lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain))
    else:
        raise DamagedError("it is packed in a way that is not known here")
    return _checked(limited(read, entry.file_size), entry.CRC)


def _checked(read: Read, wanted: int) -> Read:
    """Return a read that raises DamagedError at the end of what has another checksum."""
    found = 0

    def some(size: int) -> bytes:
        nonlocal found
        got = read(size)
        found = zlib.crc32(got, found)
        if not got and found != wanted:
            raise DamagedError("its checksum does not fit")
        return got

    return some


def _readable(entry: zipfile.ZipInfo, read: Read) -> Read:
    if not _TEXT.fullmatch(entry.filename) or entry.file_size > _DOCUMENT:
        return read
    parts = []
    with suppress(*broken()):  # what came before is worth a look
        while part := read(1 << 20):
            parts.append(part)
            if sum(map(len, parts)) > _DOCUMENT:
                break
    text = io.BytesIO(_text_of(b"".join(parts)))
    return lambda size: text.read(size) or read(size)


def _text_of(xml: bytes) -> bytes:
    """Join the runs into which office programs cut a word, and end paragraphs with a line."""
    joined = _JOINED.sub(b"", xml)
    if _SPAN in joined:  # of OpenDocument, whose pattern is slow to look for
        joined = _SPANS.sub(b"", joined)
    return _PARAGRAPH.sub(rb"\1\n", joined)


def _central_entries(raw: IO[bytes]) -> int:
    """Count the entries of a zip archive before a library makes an object of each."""
    raw.seek(0)
    count, before = 0, b""
    while part := raw.read(1 << 20):
        count += (before + part).count(b"PK\x01\x02")
        before = part[-3:]
    raw.seek(0)
    return count
