"""The rows of logs that Spark reads: their lines, or the records of their JSON documents."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from streams.documents import StreamCutter

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

WHOLE_BYTES = 32 << 20
"""A file of at most so many bytes, packed or not, is read as one document where it may be one."""
ROWS = "path string, second long, third long, line binary"
# The same file is `file:///a` in one place and `file:/a` in another.
_SLASHES = re.compile("^([a-z0-9]+):/+")
_PATH = "regexp_replace(_metadata.file_path, '^([a-z0-9]+):/+', '$1:/') AS path"


def rows(session: "SparkSession", files: Sequence[str], *, documents: bool) -> "DataFrame":
    """Return columns first (which file), second, third (the order within it) and line.

    Args:
        session: of Spark.
        files: their names, as Spark gives them, in order.
        documents: whether a file may be a JSON document over many lines. One that is larger than
            WHOLE_BYTES is taken for lines: it could not be cut where Spark divides it.
    """
    whole = _small(session, files) if documents else []
    lines = [name for name in files if name not in set(whole)]
    parts = [_lines(session, lines)] if lines else []
    if whole:
        texts = session.read.text(whole, wholetext=True)
        texts = texts.selectExpr(_PATH, "CAST(value AS binary) AS text")
        parts.append(texts.mapInPandas(records, ROWS))
    numbers = session.createDataFrame(
        [(_SLASHES.sub(r"\1:/", name), number) for number, name in enumerate(files)],
        "path string, number long",
    )
    found = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])
    return found.join(numbers.hint("broadcast"), "path", "left").selectExpr(
        # Nothing may be left out in silence.
        "coalesce(number, CAST(raise_error('a file of no name: ' || path) AS long)) AS first",
        "second", "third", "line",
    )  # fmt: skip


def records(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Cut files into records, one a row.

    Args:
        frames: columns path and text, a row for each file.
    """
    for frame in frames:
        for path, text in zip(frame["path"], frame["text"], strict=True):
            cutter = StreamCutter()
            found = [*cutter.feed(bytes(text))[0], *cutter.finish()[0]]
            columns = {"path": path, "second": 0, "third": range(len(found)), "line": found}
            yield pd.DataFrame(columns)


def _lines(session: "SparkSession", files: Sequence[str]) -> "DataFrame":
    return session.read.text(list(files)).selectExpr(
        _PATH,
        "_metadata.file_block_start AS second",
        "monotonically_increasing_id() AS third",
        "CAST(value AS binary) AS line",
    )


def _small(session: "SparkSession", files: Sequence[str]) -> list[str]:
    """Return which files are read whole, by the names that they were given."""
    listed = session.read.format("binaryFile").load(list(files)).select("path", "length")
    few = listed.where(f"length <= {WHOLE_BYTES}").select("path").collect()
    small = {_SLASHES.sub(r"\1:/", one["path"]) for one in few}
    return [name for name in files if _SLASHES.sub(r"\1:/", name) in small]
