"""Make docs/pictures/demo.svg and demo.cast: python docs/cast.py.

`keywatch demo` is run for real; when each of its lines came is kept. The cast is what asciinema
plays, the picture the same as an SVG that moves by itself, without a script: README shows it.
"""

import json
import os
import re
import subprocess
import sys
import time
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURES = Path(__file__).parent / "pictures"
COLUMNS, LINE_PX, COLUMN_PX, TOP_PX, LEFT_PX = 104, 18, 8.6, 44, 16
REST_S, LONGEST_S = 5.0, 2.5
"""How long the end stays, and the longest pause that is shown; longer ones are cut to it."""
_PRIVATE = re.compile(r"(?:/tmp|/home|/root|/var|/Users)/[^\s'\"]+|[A-Za-z0-9_]{32,}")
"""Paths of a machine, and what is as long as a secret: neither may be in the picture."""

STYLE = """
svg{{background:#10161d}}
text{{font:14px ui-monospace,"SF Mono","DejaVu Sans Mono",Menlo,monospace;white-space:pre}}
text{{fill:#d7dee8}}
.t{{fill:#7fd6a0;font-weight:700}}.p{{fill:#86b6ff}}.c{{fill:#ff9a91}}
.l{{opacity:0;animation:{total:.2f}s step-end infinite}}
@media(prefers-reduced-motion:reduce){{.l{{opacity:1;animation:none}}}}
"""


def main() -> None:
    """Run the demo, and write both."""
    shown = [(0.0, "$ make demo"), *_run()]
    if found := [said for _, said in shown if _PRIVATE.search(said)]:
        sys.exit(f"not written: {found[0]}")
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "demo.cast").write_text(_cast(shown))
    (PICTURES / "demo.svg").write_text(_svg(shown))


def _run() -> list[tuple[float, str]]:
    """Return the lines of the demo with the seconds at which they came, long pauses cut."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": str(COLUMNS)}
    command = [sys.executable, "-m", "keywatch", "demo"]
    lines, last, now = [], time.monotonic(), 0.6
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            at = time.monotonic()
            now += min(max(at - last, 0.12), LONGEST_S)
            last = at
            lines += [(now, part) for part in _folded(line.rstrip("\n"))]
    if demo.returncode:
        sys.exit(demo.returncode)
    return lines


def _folded(line: str) -> list[str]:
    """Break a line where it is too long, as a terminal does."""
    return [line[n : n + COLUMNS] for n in range(0, max(len(line), 1), COLUMNS)]


def _cast(shown: list[tuple[float, str]]) -> str:
    """Return asciicast v2: https://docs.asciinema.org/manual/asciicast/v2/."""
    head = {"version": 2, "width": COLUMNS, "height": len(shown) + 1, "title": "keywatch demo"}
    events = [json.dumps([round(at, 3), "o", f"{said}\r\n"]) for at, said in shown]
    return "\n".join([json.dumps(head), *events, ""])


def _svg(shown: list[tuple[float, str]]) -> str:
    """Return the lines as an SVG in which each appears at its time, again and again."""
    total = shown[-1][0] + REST_S
    high, wide = TOP_PX + LINE_PX * len(shown) + 10, int(2 * LEFT_PX + COLUMNS * COLUMN_PX + 20)
    rules, texts = [], []
    for number, (at, said) in enumerate(shown):
        rules.append(f"@keyframes k{number}{{0%{{opacity:0}}{100 * at / total:.2f}%{{opacity:1}}}}")
        kind = "p" if said.startswith("$") else "t" if re.match(r"\d\. ", said) else ""
        kind = kind or ("c" if re.search(r"critical:|revoked|: 401", said) else "")
        y = TOP_PX + LINE_PX * number
        texts.append(
            f'<text class="l {kind}" style="animation-name:k{number}" x="{LEFT_PX}" y="{y}">'
            f"{escape(said)}</text>"
        )
    dots = "".join(
        f'<circle cx="{20 + 18 * n}" cy="18" r="5" fill="{fill}"/>'
        for n, fill in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img" '
        f'aria-label="keywatch demo: a leaked key is found and locked out, a stolen one noticed">'
        f"<style>{STYLE.format(total=total)}{''.join(rules)}</style>"
        f'<rect width="100%" height="100%" rx="8" fill="#10161d"/>{dots}{"".join(texts)}</svg>\n'
    )


if __name__ == "__main__":
    main()
