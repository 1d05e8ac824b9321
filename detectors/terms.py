"""Strings into numbers: keys, endpoints, objects and clients, the same in every process.

An endpoint is a method and a path whose ids are left out; an object is the path with them. A
client is its user agent without version numbers.
"""

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from vocabulary.access import EventBatch, Flags, Ints

Hashes = NDArray[np.uint32]

LONGEST = 512
"""Characters of a path or agent that are looked at: what follows is the sender's whim."""

# A segment that names an object: a number, or something long with a digit in it (UUID, hash).
_ID = re.compile(r"(?<=/)(?:\d+|(?=[^/\n]*\d)[^/\n]{8,})(?=/|$)", re.MULTILINE)
_NUMBER = re.compile(r"^.*/(\d{1,15})(?=/|$)", re.MULTILINE)
_VERSION = re.compile(r"[\d._]+")
NO_OBJECT = -1
MOST_TOKENS = 1 << 40
"""A log may say anything of one answer."""


def endpoints(batch: EventBatch) -> tuple[Hashes, Ints, Hashes]:
    """Return of each event the endpoint, the number of its object, and a hash of its object.

    Where the path names no object the number is NO_OBJECT and the hash is 0; an object that is
    no number has a hash only.
    """
    template, number, thing = _of_paths(batch.paths)
    method = np.array([crc32(word.encode()) for word in batch.methods] or [0], np.uint32)
    endpoint = template[batch.path] ^ _mixed(method)[batch.method]
    # 0 marks an empty place of a table.
    return np.maximum(endpoint, 1), number[batch.path], thing[batch.path]


def keys(names: Sequence[str]) -> Ints:
    """Return a hash of each key's name, the same in every process."""
    try:
        codes = list(map(crc32, map(str.encode, names)))
    except UnicodeEncodeError:
        codes = [crc32(name.encode("utf-8", "replace")) for name in names]
    return np.array(codes or [0], np.int64)


def clients(batch: EventBatch) -> Hashes:
    """Return of each event the client: the user agent without its versions; 0 for none."""
    families = [_VERSION.sub("", agent[:LONGEST]) for agent in batch.agents]
    codes = np.array(
        [max(crc32(name.encode("utf-8", "replace")), 1) if name else 0 for name in families] or [0],
        np.uint32,
    )
    return codes[batch.agent]


def prints(batch: EventBatch) -> Hashes:
    """Return of each event a hash of the fingerprint of the client's TLS hello; 0 for none."""
    if batch.tls is None:
        return np.zeros(len(batch), np.uint32)
    known = [word[:LONGEST].encode("utf-8", "replace") for word in batch.prints]
    codes = np.array([max(crc32(word), 1) if word else 0 for word in known] or [0], np.uint32)
    return codes[batch.tls]


def tokens(batch: EventBatch) -> Ints:
    """Return how many AI tokens each event's answer cost."""
    if batch.tokens is None:
        return np.zeros(len(batch), np.int64)
    return np.clip(batch.tokens, 0, MOST_TOKENS)


READS = frozenset({"", "GET", "HEAD", "OPTIONS"})


def writes(methods: Sequence[str]) -> Flags:
    """Return which methods change something."""
    return np.array([method.upper() not in READS for method in methods] or [False])


def template_of(path: str) -> str:
    """Return the path with `#` for every id."""
    return _ID.sub("#", path[:LONGEST])


def _of_paths(paths: Sequence[str]) -> tuple[Hashes, Ints, Hashes]:
    clipped = [path[:LONGEST] for path in paths] or [""]
    text = "\n".join(clipped)
    # One pass of the expression over all paths costs a fifth of one pass a path.
    templates = _ID.sub("#", text).split("\n")
    if len(templates) != len(clipped):
        clipped = [path.replace("\n", " ") for path in clipped]
        templates = [_ID.sub("#", path) for path in clipped]
    codes: dict[str, int] = {}
    for name in templates:
        if name not in codes:
            codes[name] = crc32(name.encode("utf-8", "replace"))
    template = np.array([codes[name] for name in templates], np.uint32)
    named = [name != path for name, path in zip(templates, clipped, strict=True)]
    number = np.array(
        [_number(path) if has else NO_OBJECT for path, has in zip(clipped, named, strict=True)],
        np.int64,
    )
    thing = np.array(
        [
            max(crc32(path.encode("utf-8", "replace")), 1) if has else 0
            for path, has in zip(clipped, named, strict=True)
        ],
        np.uint32,
    )
    return template, number, _mixed(thing) * (thing != 0)


def _number(path: str) -> int:
    found = _NUMBER.match(path)
    return int(found[1]) if found else NO_OBJECT


def _mixed(values: Hashes) -> Hashes:
    """Spread the bits (the finaliser of MurmurHash3, by Austin Appleby, public domain)."""
    mixed = values.astype(np.uint32)
    mixed = (mixed ^ (mixed >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return mixed ^ (mixed >> np.uint32(16))
