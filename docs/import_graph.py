"""Draw the rooms and the imports between them, measured from the code.

python docs/import_graph.py           write docs/pictures/rooms.svg
python docs/import_graph.py --check   fail when the picture is no longer true, or on a cycle
"""

import sys
from collections import Counter
from html import escape
from pathlib import Path

import grimp

LEVELS = (
    ("keywatch",),
    ("scanner", "streams", "detectors", "actions", "gateway"),
    ("keystore",),
    ("database",),
    ("vocabulary",),
)
ROOMS = tuple(room for level in LEVELS for room in level)
ROOT = Path(__file__).parent.parent
PICTURE = Path(__file__).parent / "pictures" / "rooms.svg"
WIDTH, HEIGHT, BOX_W, BOX_H = 860, 470, 130, 40


def arrows() -> Counter[tuple[str, str]]:
    """Return how many imports lead from each room to each other one."""
    sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    found: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        for target in graph.find_modules_directly_imported_by(module):
            here, there = module.split(".")[0], target.split(".")[0]
            if here != there:
                found[here, there] += 1
    return found


def cycle(found: Counter[tuple[str, str]]) -> list[str]:
    """Return the rooms that no order of imports can be given to; empty when there is no cycle."""
    left = set(ROOMS)
    while True:
        free = {r for r in left if not any((r, other) in found for other in left if other != r)}
        if not free:
            return sorted(left)
        left -= free


def centre(room: str) -> tuple[float, float]:
    """Return where the room's box stands."""
    row = next(n for n, level in enumerate(LEVELS) if room in level)
    place = LEVELS[row].index(room)
    return WIDTH * (place + 1) / (len(LEVELS[row]) + 1), 45 + row * 95


def svg(found: Counter[tuple[str, str]]) -> str:
    """Return the picture; readable on light and dark pages."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>The rooms of keywatch and the imports between them</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"',
        ' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#7a8599"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fbfbfd"/>',
    ]
    for (here, there), _ in sorted(found.items()):
        (x1, y1), (x2, y2) = centre(here), centre(there)
        lines.append(
            f'<path d="M{x1:.0f} {y1 + BOX_H / 2:.0f}L{x2:.0f} {y2 - BOX_H / 2:.0f}" '
            'stroke="#7a8599" fill="none" marker-end="url(#tip)"/>'
        )
    for room in ROOMS:
        x, y = centre(room)
        lines.append(
            f'<rect x="{x - BOX_W / 2:.0f}" y="{y - BOX_H / 2:.0f}" width="{BOX_W}" '
            f'height="{BOX_H}" rx="8" fill="#e8eefc" stroke="#3b5bdb"/>'
            f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" font-family="sans-serif" '
            f'font-size="15" fill="#1a2233">{escape(room)}/</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def main() -> int:
    """Write the picture, or with --check compare it with the one that is there."""
    found = arrows()
    if rooms := cycle(found):
        print(f"a cycle of imports among {', '.join(rooms)}", file=sys.stderr)
        return 1
    drawn = svg(found)
    if "--check" not in sys.argv:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(drawn)
    elif not PICTURE.exists() or PICTURE.read_text() != drawn:
        print("docs/pictures/rooms.svg is no longer true: run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
