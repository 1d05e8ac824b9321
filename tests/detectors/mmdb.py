"""Writes small databases in the MaxMind DB format, version 2.0, for tests.

After https://maxmind.github.io/MaxMind-DB/: a binary tree of 32-bit records, data, metadata.
"""

import struct
from ipaddress import ip_network
from pathlib import Path

_MARK = b"\xab\xcd\xefMaxMind.com"


def write(file: Path, kind: str, networks: dict[str, dict]) -> Path:
    """Write a database that maps networks (IPv4 or IPv6) to records; renamed into place."""
    nodes, data, leaves = [[None, None]], b"", {}
    for text, record in networks.items():
        network = ip_network(text)
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
        path = "0" * 96 + bits if network.version == 4 else bits
        leaves[text] = len(data)
        data += _encoded(record)
        _place(nodes, path, ("data", leaves[text]))
    count = len(nodes)
    tree = b"".join(struct.pack(">II", *(_number(side, count) for side in node)) for node in nodes)
    meta = {
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1,
        "database_type": kind, "description": {"en": "a test"}, "ip_version": 6,
        "languages": ["en"], "node_count": count, "record_size": 32,
    }  # fmt: skip
    draft = file.with_suffix(".part")
    draft.write_bytes(tree + b"\0" * 16 + data + _MARK + _encoded(meta))
    return draft.replace(file)


def _place(nodes, path, value):
    at = 0
    for bit in path[:-1]:
        side = int(bit)
        if nodes[at][side] is None:
            nodes.append([None, None])
            nodes[at][side] = len(nodes) - 1
        at = nodes[at][side]
    nodes[at][int(path[-1])] = value


def _number(side, count):
    if side is None:
        return count
    return count + 16 + side[1] if isinstance(side, tuple) else side


_KINDS = {"node_count": 6, "build_epoch": 9, "autonomous_system_number": 6}
"""Of whole numbers: 6 for 32 bits, 9 for 64, else 5 for 16."""


def _encoded(value, kind=5):
    if isinstance(value, dict):
        parts = (_encoded(k) + _encoded(v, _KINDS.get(k, 5)) for k, v in value.items())
        return _head(7, len(value)) + b"".join(parts)
    if isinstance(value, list):
        return _head(11, len(value)) + b"".join(map(_encoded, value))
    if isinstance(value, str):
        raw = value.encode()
        return _head(2, len(raw)) + raw
    if isinstance(value, float):
        return _head(3, 8) + struct.pack(">d", value)
    raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return _head(kind, len(raw)) + raw


def _head(kind, size):
    more = b"" if size < 29 else bytes([size - 29])
    short = min(size, 29)
    return (bytes([kind << 5 | short]) if kind < 8 else bytes([short, kind - 7])) + more
