"""The benchmark's events as batches of columns, made without the product's own readers."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from detectors.facts import KeyFacts
from vocabulary.access import EventBatch


class Line(msgspec.Struct, frozen=True):
    """One line of events.jsonl."""

    ts: datetime
    key: str
    ip: str
    method: str
    path: str
    status: int
    bytes: int
    ua: str


def batches(folder: Path, size: int) -> Iterator[EventBatch]:
    decoder = msgspec.json.Decoder(Line)
    with gzip.open(folder / "events.jsonl.gz", "rb") as file:
        lines: list[Line] = []
        for raw in file:
            lines.append(decoder.decode(raw))
            if len(lines) == size:
                yield batch_of(lines)
                lines = []
        if lines:
            yield batch_of(lines)


def batch_of(lines: list[Line]) -> EventBatch:
    keys, key = coded([line.key for line in lines])
    order = np.argsort(key, kind="stable")
    ips, ip = coded([line.ip for line in lines])
    methods, method = coded([line.method for line in lines])
    paths, path = coded([line.path for line in lines])
    agents, agent = coded([line.ua for line in lines])
    ts = np.array([round(line.ts.timestamp() * 1000) for line in lines], np.int64)
    status = np.array([line.status for line in lines], np.int32)
    size = np.array([line.bytes for line in lines], np.int64)
    return EventBatch(
        keys, key[order], np.arange(len(lines))[order], ts[order], ips, ip[order], methods,
        method[order], paths, path[order], agents, agent[order], status[order], size[order],
        (status != 401)[order],
    )  # fmt: skip


def coded(values: list[str]) -> tuple[list[str], np.ndarray]:
    codes: dict[str, int] = {}
    column = np.array([codes.setdefault(value, len(codes)) for value in values], np.int32)
    return list(codes), column


def facts(folder: Path) -> dict[str, KeyFacts]:
    rows = map(json.loads, (folder / "keys.jsonl").open())
    return {
        row["key"]: KeyFacts(
            row["class"],
            datetime.fromisoformat(row["created_at"]).timestamp(),
            row["tz"],
            row["environment"],
        )
        for row in rows
    }
