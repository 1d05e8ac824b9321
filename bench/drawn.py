"""What benches print, as tables of Markdown and as pictures."""

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH, LABEL, ROW, HEIGHT, MARGIN = 720, 230, 22, 220, 40
OURS, THEIRS, INK = "#3b74ee", "#8b93a1", "#8b93a1"
STYLE = (
    "<style>text{fill:#4b5563}.card{fill:#fff}@media (prefers-color-scheme:dark)"
    "{text{fill:#cbd2dc}.card{fill:#1b1f27}}</style>"
)
"""A ground of its own: to be read on a light page and on a dark one, whatever the reader prefers."""

_LETTER = 6.2
"""How wide a letter is, about."""

_NUMBER = re.compile(r"[0-9][0-9,]*(\.[0-9]+)?")


def table(said: str) -> str:
    """Return as a table what a bench printed as JSON or as `name=value`; else as it is."""
    try:
        found = json.loads(said)
    except ValueError:
        rows = pairs(said)
        return _rows(rows) if rows else f"```text\n{said}\n```"
    leaves = [{"figure": name, "value": value} for name, value in _leaves(found)]
    return _rows(leaves)


def pairs(said: str) -> list[dict[str, str]]:
    """Return the lines of `name=value  name=value` as rows; none where there are no such lines."""
    lines = [line.split("  ") for line in said.splitlines() if "=" in line]
    if not lines or not all("=" in word for words in lines for word in words if word):
        return []
    return [dict(word.strip().split("=", 1) for word in words if word) for words in lines]


def named(said: str, column: int, lead: int = 0) -> list[tuple[str, float]]:
    """Return the words that begin each line and a number of it; lines without one are left out.

    Args:
        said: lines of words and numbers, or a table of Markdown.
        column: which number, counted from the end: -1 for the last.
        lead: how many words are the name; 0 for all before the first number.
    """
    found = []
    for line in said.splitlines():
        words = [word for word in line.replace("|", " ").split() if word != "%"]
        first = next((at for at, word in enumerate(words) if _NUMBER.fullmatch(word)), 0)
        numbers = [word for word in words[lead or first :] if _NUMBER.fullmatch(word)]
        if first and len(numbers) >= -column and numbers == words[lead or first :]:
            name = " ".join(words[: lead or first]).rstrip(",")
            found.append((name, float(numbers[column].replace(",", ""))))
    return found


def folded(figures: str) -> str:
    """Return what `table` made a table of: JSON of figures and values, or lines of `name=value`.

    What somebody wrote below a table is no part of it.
    """
    lines = [line for line in figures.splitlines() if line.startswith("|")]
    names, _, *rows = (line.strip("| ").split(" | ") for line in lines)
    if names != ["figure", "value"]:
        return "\n".join("  ".join(map("=".join, zip(names, row, strict=True))) for row in rows)
    tree: dict[str, Any] = {}
    for line in lines[2:]:
        name, value = (cell.strip() for cell in line.strip("| ").rsplit(" | ", 1))
        *way, last = name.split(", ")
        inner = tree
        for step in way:
            inner = inner.setdefault(step, {})
        inner[last] = float(value) if _NUMBER.fullmatch(value) else value
    return json.dumps(tree)


def _leaves(found: Any, name: str = "") -> list[tuple[str, Any]]:  # noqa: ANN401  (any JSON)
    if not isinstance(found, dict):
        return [(name, found)]
    return [
        leaf
        for key, inner in found.items()
        for leaf in _leaves(inner, f"{name}, {key}" if name else key)
    ]


def _rows(rows: Sequence[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([row.get(name, "") for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(str(word) for word in line) + " |" for line in lines)


def bars(title: str, values: Sequence[tuple[str, float]], ours: str = "keywatch") -> str:
    """Draw horizontal bars; those whose name holds `ours` are coloured.

    Args:
        title: with the unit.
        values: name and length of each bar.
        ours: what the name of our own holds.
    """
    most = max((value for _, value in values), default=1.0) or 1.0
    label = max(LABEL, *(_LETTER * len(name) + 16 for name, _ in values))
    room = WIDTH - label - 80
    body = []
    for number, (name, value) in enumerate(values):
        y, length = MARGIN + number * ROW, max(1.0, value / most * room)
        colour = OURS if ours in name else THEIRS
        body.append(
            f'<text x="{label - 8:.0f}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{label:.0f}" y="{y}" width="{length:.1f}" height="{ROW - 5}" fill="{colour}"/>'
            f'<text x="{label + length + 6:.1f}" y="{y + 13}">{value:,.6g}</text>'
        )
    return _picture(title, MARGIN + len(values) * ROW + 10, body)


def line(title: str, points: Sequence[tuple[float, float]]) -> str:
    """Draw a line from nought; the last point is labelled.

    Args:
        title: with the units of both axes.
        points: ascending in x.
    """
    widest, highest = points[-1][0], max(y for _, y in points)
    room, tall = WIDTH - 120, HEIGHT - 2 * MARGIN
    at = [(60 + x / widest * room, MARGIN + tall - y / highest * tall * 0.95) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    floor = MARGIN + tall
    body = [
        f'<line x1="60" y1="{floor}" x2="{60 + room}" y2="{floor}" stroke="{INK}"/>',
        f'<polyline points="{path}" fill="none" stroke="{OURS}" stroke-width="2"/>',
        f'<text x="{at[-1][0] - 4:.1f}" y="{at[-1][1] - 8:.1f}" text-anchor="end">{points[-1][1]:g}</text>',
        f'<text x="60" y="{floor + 18}">0</text>',
        f'<text x="{60 + room}" y="{floor + 18}" text-anchor="end">{widest:,.0f}</text>',
    ]
    return _picture(title, HEIGHT, body)


def _picture(title: str, height: int, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">{STYLE}'
        f'<rect class="card" width="{WIDTH}" height="{height:.0f}" rx="8"/>'
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>' + "".join(body) + "</svg>\n"
    )
