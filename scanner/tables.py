"""Tables: a column is named after secrets, and its rows hold them.

Rows of an INSERT or a COPY of SQL, a CSV file, a table of Markdown. A cell is written anew behind
the name of its column, `password = "…"`, and remembers where it was; so is the value of a row that
holds a name and a value.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from scanner.batch import Data
from scanner.lazy import lazy
from scanner.region import RUN, Region

_HEAD = 4096
_TELLING = (
    "(?:passw|passphrase|pwd|secret|token|credential|"
    "(?:api|private|access|account|auth|encryption|signing|service|master)[ _.-]?key)"
)
_NAMED = lazy(_TELLING.encode(), re.IGNORECASE)
_NOT = lazy(
    rb"(?:_|\b|(?<=[a-z])(?=[A-Z]))(?:at|ids?|on|date|time|count|types?|hint|length|names?|expir\w*|changed|used?|status|url"
    rb"|uri|format|version|limit|policy|age|required|enabled|hash\w*|digest|salt|algo\w*|tokens)\Z",
    re.IGNORECASE,
)
_LABELS, _VALUES = lazy(rb"(?i)(?:name|key|variable|setting|parameter|option)"), (b"value",)
_CELL = lazy(rb"[^\s\"']{4,200}")
_COLUMN = lazy(rb"[\w .-]{1,60}")

Span = tuple[int, int]
Cell = tuple[Span, Span]
"""Where a name stands, and its value."""


def triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how the heads of such tables end."""
    del words
    listed = rf"\([^()]*(?:{_TELLING}|(?:name|key)[^()]*,[^(),]*value)[^()]*\)\s*"
    named = r"\s+[\w.\x22\x60\[\]$-]+\s*"
    yield rf"(?i)in(?:to|sert){named}{listed}values?"
    yield rf"(?i)copy{named}{listed}from\s+stdin[^\n]*\n"
    held, edge = r"[\w .\x22'-]", r"[,;\t]"
    yield rf"(?i){_TELLING}{held}*(?:{edge}{held}*)+\r?\n"
    yield rf"(?i){edge}\x22?[\w .-]{{0,20}}{_TELLING}{held}{{0,20}}\r?\n"
    yield rf"(?i)(?:name|key|variable)\x22?{edge}\x22?value\x22?\r?\n"
    dashes = r"[^\n]*\n[ \t]*(?:\|[ \t]*:?-{2}|:?-{2,}:?[ \t]*\|)"
    yield rf"(?i){_TELLING}{dashes}"
    yield rf"(?i)\|[ \t]*value[ \t]*(?:\||\r?\n){dashes}"


def table(data: Data, at: int, low: int, high: int) -> Region | None:
    """Write the telling cells of a table as assignments."""
    last = bytes(data[max(low, at - 1) : at])
    if last in (b"-", b"|"):
        return _markdown(data, at, low, high)
    if last != b"\n":
        return _insert(data, at, low, high)
    if data[max(low, at - _HEAD) : at].rstrip().endswith(b";"):
        return _copy(data, at, low, high)
    return _separated(data, at, low, high)


_INTO = lazy(rb"(?i)\b(?:into|insert)\s[^;()]+\(([^()]*)\)\s*values?\Z")
_COPY = lazy(rb"(?i)\bcopy\s[^;()]+\(([^()]*)\)\s*from\s+stdin[^\n]*\n\Z")
_COMMA, _BAR = lazy(rb"[^,]+"), lazy(rb"[^|\r\n]+")
_OPEN = lazy(rb"[\s,]{0,20}\(")
_SQL = lazy(
    rb"\s{0,20}(?:[NEBnebx]?'((?:[^'\\]|''|\\.)*)'|\"((?:[^\"\\]|\\.)*)\""
    rb"|((?:[^,()'\"]|\([^()]*\))*))[^,()'\"]{0,40}([,)])",
    re.DOTALL,
)


def _insert(data: Data, at: int, low: int, high: int) -> Region | None:
    columns = _listed(_INTO, (b"into", b"insert"), data, at, low)
    return _region(data, columns, tuples(data, at, min(high, at + RUN), len(columns)))


def _copy(data: Data, at: int, low: int, high: int) -> Region | None:
    columns = _listed(_COPY, (b"copy",), data, at, low)
    return _region(data, columns, _lines(data, at, high, b"\t", len(columns)))


def _listed(
    pattern: re.Pattern[bytes], words: Sequence[bytes], data: Data, at: int, low: int
) -> list[Span]:
    """Return where the names of columns stand that a statement lists before `at`."""
    least = max(low, at - _HEAD)
    said = bytes(data[least:at]).lower()
    begin = max(map(said.rfind, words))
    found = pattern.search(data, least + begin, at) if begin >= 0 else None
    if not found:
        return []
    spans = (part.span() for part in _COMMA.finditer(data, *found.span(1)))
    return [bare(data, *span, b" \t\r\n\"`[]'") for span in spans]


def tuples(data: Data, at: int, stop: int, width: int) -> Iterator[list[Span]]:
    """Yield the cells of rows of an INSERT, for as long as there are as many as columns."""
    while begun := _OPEN.match(data, at, stop):
        row, at = [], begun.end()
        while cell := _SQL.match(data, at, stop):
            row.append(cell.span(next((group for group in (1, 2) if cell[group] is not None), 3)))
            at = cell.end()
            if cell[4] == b")":
                break
        if len(row) != width:
            return
        yield row


def _separated(data: Data, at: int, low: int, high: int) -> Region | None:
    """Take a file that begins with the names of its columns."""
    start = data.rfind(b"\n", low, at - 1) + 1
    if start > low:
        return None
    start = low + 3 * (data[low : low + 3] == b"\xef\xbb\xbf")
    head = bytes(data[start:at])
    edge = max((b",", b";", b"\t"), key=head.count)
    columns = [bare(data, *span, b" \t\r\n\"'") for span in _split(data, start, at, edge)]
    if not all(_COLUMN.fullmatch(data, *span) for span in columns):
        return None
    return _region(data, columns, _lines(data, at, high, edge, len(columns)))


def _markdown(data: Data, at: int, low: int, high: int) -> Region | None:
    """Take a table whose head is the line above the dashes."""
    dashes = data.rfind(b"\n", low, at) + 1
    start = data.rfind(b"\n", low, dashes - 1) + 1 or low
    body = data.find(b"\n", at, high) + 1
    if not body or at - start > _HEAD:
        return None
    columns = _barred(data, start, dashes)
    return _region(data, columns, _barred_lines(data, body, min(high, body + RUN), len(columns)))


def _barred_lines(data: Data, at: int, stop: int, width: int) -> Iterator[list[Span]]:
    while at < stop:
        end = data.find(b"\n", at, stop)
        end = stop if end < 0 else end
        row = _barred(data, at, end)
        if len(row) != width:
            return
        yield row
        at = end + 1


def _barred(data: Data, start: int, end: int) -> list[Span]:
    low, high = bare(data, start, end, b" \t\r\n")
    low += data[low : low + 1] == b"|"
    high -= data[high - 1 : high] == b"|" and high > low
    return [bare(data, *part, b" \t`*") for part in _split(data, low, high, b"|")]


def _lines(data: Data, at: int, high: int, edge: bytes, width: int) -> Iterator[list[Span]]:
    """Yield the cells of lines, for as long as there are as many as columns."""
    stop = min(high, at + RUN)
    while at < stop:
        end = data.find(b"\n", at, stop)
        end = stop if end < 0 else end
        row = _split(data, at, end - (data[end - 1 : end] == b"\r"), edge)
        if len(row) != width:
            return
        yield [bare(data, *span, b' "') for span in row]
        at = end + 1


def _split(data: Data, start: int, end: int, edge: bytes) -> list[Span]:
    """Return the cells of a line; in quotes an edge is none."""
    spans, begin, at = [], start, start
    while at < end:
        if data[at : at + 1] == b'"' and at == begin:
            at = data.find(b'"', at + 1, end) + 1 or end
        at = data.find(edge, at, end)
        if at < 0:
            break
        spans.append((begin, at))
        begin = at = at + 1
    return [*spans, (begin, end)]


def bare(data: Data, start: int, end: int, around: bytes) -> Span:
    """Take characters off both ends of a span."""
    text = bytes(data[start:end])
    left = len(text) - len(text.lstrip(around))
    return start + left, start + max(left, len(text.rstrip(around)))


def _region(data: Data, columns: Sequence[Span], rows: Iterable[Sequence[Span]]) -> Region | None:
    return written(data, telling(data, columns, rows))


def telling(data: Data, columns: Sequence[Span], rows: Iterable[Sequence[Span]]) -> list[Cell]:
    """Return what stands in telling columns, and beside telling names.

    Args:
        data: the buffer.
        columns: where their names stand.
        rows: where the cells of each stand; not asked for where no column tells.
    """
    if len(columns) < 2:  # noqa: PLR2004  (what has one column is no table)
        return []
    names = [bytes(data[slice(*span)]) for span in columns]
    tells = [number for number, name in enumerate(names) if _tells(name)]
    label = next((n for n, name in enumerate(names) if _LABELS.fullmatch(name)), -1)
    value = next((n for n, name in enumerate(names) if name.lower() in _VALUES), -1)
    if not tells and min(label, value) < 0:
        return []
    found: list[Cell] = []
    for row in rows:
        found += [(columns[number], row[number]) for number in tells]
        if min(label, value) >= 0 and _tells(bytes(data[slice(*row[label])])):
            found.append((row[label], row[value]))
    return [cell for cell in found if _CELL.fullmatch(data, *cell[1])]


def _tells(name: bytes) -> bool:
    return _NAMED.search(name) is not None and not _NOT.search(name)


def written(data: Data, found: Sequence[Cell]) -> Region | None:
    """Write values behind their names as assignments, which remember where they were."""
    if not found:
        return None
    parts: list[bytes] = []
    spots: list[tuple[int, int]] = []
    length = 0
    for name, value in found:
        head, said = _OTHER.sub(b"_", bytes(data[slice(*name)])), bytes(data[slice(*value)])
        spots += [(length, name[0]), (length + len(head) + 4, value[0])]
        parts += [head, b' = "', said, b'"\n']
        length += len(head) + len(said) + 6
    ends = [end for pair in found for _, end in pair]
    starts = [start for pair in found for start, _ in pair]
    return Region(min(starts), max(ends), b"".join(parts), tuple(spots))


_OTHER = lazy(rb"[^\w.-]")
