"""Documents for people: headings, paragraphs, tables and code, as Markdown and as HTML.

Every text is taken for what an attacker wrote: it is plain text (see `escape.plain`) and escaped
for the medium. The HTML loads and runs nothing, and prints well.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from actions.telling.escape import fenced, plain

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|~@:=$^])")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1d2430;background:#fff}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #d8dde5;
overflow-wrap:anywhere}th{font-weight:600}pre{background:#f3f5f8;padding:.8rem;overflow-x:auto;
white-space:pre-wrap}@media print{body{margin:0;max-width:none}pre{border:1px solid #d8dde5}
tr,pre{break-inside:avoid}h2{break-after:avoid}}
"""


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is the document's."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column titles."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to be copied as they are; made by us, never by an attacker."""

    text: str


Block = Heading | Paragraph | Table | Code


def markdown(blocks: Sequence[Block]) -> str:
    """Return the document as Markdown; none of its texts is markup or HTML."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def html(blocks: Sequence[Block]) -> str:
    """Return the document as one page."""
    title = next((plain(b.text) for b in blocks if isinstance(b, Heading)), "keywatch")
    body = "\n".join(_html(block) for block in blocks)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def escaped(text: object) -> str:
    """Return text of which Markdown makes nothing but text."""
    return _PUNCTUATION.sub(r"\\\1", escape(plain(text), quote=False))


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {escaped(block.text)}"
    if isinstance(block, Paragraph):
        return escaped(block.text)
    if isinstance(block, Code):
        return fenced(block.text).replace("text", "sh", 1)
    lines = [_cells(block.columns), "|" + "---|" * len(block.columns)]
    return "\n".join([*lines, *(_cells(row) for row in block.rows)])


def _cells(cells: Sequence[object]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(plain(block.text))}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{escape(plain(block.text))}</p>"
    if isinstance(block, Code):
        return f"<pre>{escape(block.text)}</pre>"
    head = "".join(f"<th>{escape(plain(cell))}</th>" for cell in block.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(plain(cell))}</td>" for cell in row) + "</tr>"
        for row in block.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
