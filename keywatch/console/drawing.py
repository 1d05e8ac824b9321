"""Templates: every value that is put in is made printable first, then escaped."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from vocabulary.moments import moment_of

HERE = Path(__file__).parent
STATIC = HERE / "static"

NAV = (
    ("Overview", "/", "o", "status:read"),
    ("Incidents", "/incidents", "i", "incidents:read"),
    ("Keys", "/keys", "k", "keys:read"),
    ("Leaks", "/leaks", "l", "findings:read"),
    ("Actions", "/actions", "a", "actions:read"),
    ("Sources", "/sources", "s", "sources:read"),
    ("Policy", "/policy", "p", "policy:read"),
    ("Audit", "/audit", "u", "audit:read"),
    ("People", "/people", "e", "people:read"),
)
"""Name, path, the letter that goes there after `g`, and who is offered it."""

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def plain(value: object) -> object:
    """Return text without characters that cannot be seen: controls, changes of direction."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in value)


def environment(clock: Callable[[], float]) -> Environment:
    """Return what draws the pages; `clock` says what `ago` is counted from."""
    drawn = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=plain,
        trim_blocks=True,
    )
    drawn.globals.update(nav=NAV, build=_build())
    drawn.filters.update(
        ago=lambda at: ago(at, clock()),
        moment=moment,
        number=number,
        seconds=seconds,
        facts=facts,
        read_to=read_to,
        pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
        urlencode=lambda value: quote(str(value), safe=""),
    )
    return drawn


def ago(at: str, now: float) -> str:
    """Say how long ago an RFC 3339 time was."""
    passed = now - moment_of(at, now)
    for unit_s, unit in _UNITS:
        if abs(passed) >= unit_s:
            said = f"{abs(passed) // unit_s:.0f} {unit}"
            return f"{said} ago" if passed > 0 else f"in {said}"
    return "now"


def number(value: float) -> Markup:
    """Write a number with thin spaces between thousands."""
    shown = f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    return Markup("&#8239;").join(shown.split(","))


def moment(at: str) -> str:
    """Write an RFC 3339 time in UTC for a person, to the second."""
    return f"{at[:10]} {at[11:19]}" if len(at) > 19 else at  # noqa: PLR2004


def seconds(value: float | None) -> str:
    """Write seconds in the unit that fits; a dash for none."""
    if value is None:
        return "–"  # noqa: RUF001  (a dash is meant)
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:  # noqa: PLR2004
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.0f} h"  # noqa: PLR2004


def read_to(position: Mapping[str, Any]) -> str:
    """Write in words how far a source was read: of a file, a partition, a folder, a stream."""
    counted = {name: f"{n:,}" for name, n in position.items() if isinstance(n, int)}
    if "objects" in counted:
        open_ = f", {counted['unfinished']} not to their end" if position.get("unfinished") else ""
        return f"{counted['objects']} objects{open_}"
    if "inode" in counted:
        return f"byte {counted.get('offset', '0')} of the file that is open"
    if "offset" in counted:
        return f"record {counted['offset']}"
    if "lines" in counted:
        return f"{counted['lines']} lines since it was opened"
    return facts(position)


def facts(value: Mapping[str, Any]) -> str:
    """Write a small mapping as words."""
    return ", ".join(f"{name} {part}" for name, part in value.items() if part not in ("", None))


def _build() -> str:
    """Return what changes when a static file does, so that browsers ask anew."""
    digest = sha256()
    for file in sorted(STATIC.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
