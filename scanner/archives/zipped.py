"""Zip archives: jars, wheels, packages of programs, office documents."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO

from scanner.archives.kinds import MAX_MEMBERS
from scanner.archives.reading import LimitError, Read, broken

_TEXT = re.compile(
    r"word/.*\.xml|ppt/(?:slides|notesSlides|comments)/.*\.xml|xl/sharedStrings\.xml|content\.xml"
)
_JOINED = re.compile(
    rb"</(?P<p>[wa]:|)t></(?P=p)r>(?:<[wa]:(?:proofErr|bookmark\w+|lastRenderedPageBreak)[^<>]*>)*"
    rb"<(?P=p)r(?: [^<>]*)?>(?:<(?P=p)rPr(?: [^<>]*)?/>|<(?P=p)rPr(?: [^<>]*)?>"
    rb"(?:(?!</(?P=p)rPr>)[\s\S]){0,2000}</(?P=p)rPr>)?<(?P=p)t(?: [^<>]*)?>"
    rb"|</text:span>(?:<text:span [^<>]*>)?|(?<!</text:span>)<text:span [^<>]*>"
)
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
                stream = archive.open(entry)
            except broken() as error:
                note(f"{entry.filename} is damaged: {type(error).__name__}")
                continue
            with stream:
                yield entry.filename, _readable(entry, stream)
        if archive.comment:
            yield "(comment)", io.BytesIO(archive.comment).read


def _readable(entry: zipfile.ZipInfo, stream: IO[bytes]) -> Read:
    read: Read = getattr(stream, "read1", stream.read)
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
    return _PARAGRAPH.sub(rb"\1\n", _JOINED.sub(b"", xml))


def _central_entries(raw: IO[bytes]) -> int:
    """Count the entries of a zip archive before a library makes an object of each."""
    raw.seek(0)
    count, before = 0, b""
    while part := raw.read(1 << 20):
        count += (before + part).count(b"PK\x01\x02")
        before = part[-3:]
    raw.seek(0)
    return count
