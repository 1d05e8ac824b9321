"""Make docs/pictures/theft.svg and week.svg from a replay: python docs/pictures_of_detection.py.

Five weeks of the demo's two keys are written as a log, then one of them is used by a thief; the
log is watched by the command, and the pictures are what database and alerts say. What the alert
said goes into docs/how-it-detects.md.
"""

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
PICTURES = ROOT / "docs" / "pictures"
PAGE = ROOT / "docs" / "how-it-detects.md"
BEGIN = "What the alert said:\n\n"
NOW = datetime(2026, 3, 18, 3, 0, tzinfo=UTC)
STYLE = """
text{font:11px system-ui,sans-serif;fill:#535f6e}.axis{stroke:#d9dee5}.band{fill:#d3e2f6}
.bar{fill:#3a78c6}.bad{fill:#c2412d}.theft{stroke:#a81e17;stroke-width:2}
.s0{fill:#eef1f5}.s1{fill:#d3e2f6}.s2{fill:#a5c6ee}.s3{fill:#6ea2e0}.s4{fill:#3a78c6}.s5{fill:#154f97}
rect.ground{fill:#fff}
"""


def main() -> None:
    """Replay, and draw."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seen = _log(folder / "access.log")
        alerts = _run(folder, "watch", "--access-log", "access.log", "--once").splitlines()
        theft = max((json.loads(line) for line in alerts), key=lambda one: _RANK[one["severity"]])
        profile = json.loads(_run(folder, "keys", "profile", "key_maria", "--json"))
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "week.svg").write_text(_whole(_week(profile)))
    (PICTURES / "theft.svg").write_text(_whole(_use(seen, profile, theft)))
    text = PAGE.read_text()
    PAGE.write_text(text[: text.index(BEGIN)] + BEGIN + _said(theft))


_RANK = {"low": 1, "medium": 2, "high": 3, "critical": 4}


def _log(file: Path) -> dict[str, int]:
    """Write the log; return how often the person's key was used in each hour."""
    from keywatch.demo import traffic

    seen: dict[str, int] = {}
    lines = list(traffic.ordinary("key_orders", "key_maria", NOW))
    for n in range(40):
        at = NOW + timedelta(seconds=2 * n)
        lines.append(_stolen(at, n))
    for line in lines:
        one = json.loads(line)
        if one["api_key_id"] == "key_maria":
            hour = one["time_iso8601"][:13]
            seen[hour] = seen.get(hour, 0) + 1
    file.write_bytes(b"\n".join([*lines, b""]))
    return seen


def _stolen(at: datetime, n: int) -> bytes:
    import msgspec

    from keywatch.demo import traffic

    fields = (at.isoformat(), traffic.THIEF_HOST, "GET /v1/customers HTTP/1.1", 200, 4096)
    line = traffic.Line(*fields, traffic.THIEF_AGENT, f"t{n}", "key_maria")
    return msgspec.json.encode(line)


def _run(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "keywatch", "--database", "sqlite:///k.db", *words]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout


def _week(profile: dict[str, Any]) -> str:
    from keywatch.console import charts

    return str(charts.week(profile["hours"]["week"]))


def _use(seen: dict[str, int], profile: dict[str, Any], theft: dict[str, Any]) -> str:
    """Draw the last week, with a line at the alert."""
    from keywatch.console import charts

    last = NOW.replace(minute=0)
    hours, usual = [], []
    for back in range(167, -1, -1):
        at = last - timedelta(hours=back)
        hours.append((f"{at:%Y-%m-%dT%H}:00Z", seen.get(f"{at:%Y-%m-%dT%H}", 0), 0))
        kind = "weekend" if at.weekday() >= 5 else "weekday"  # noqa: PLR2004
        usual.append(float(profile["rate"]["per_hour"][kind][at.hour]))
    drawn = str(charts.use(hours, usual))
    at = datetime.fromisoformat(theft["ts"])
    place = 34 + (720 - 34) * ((at - (last - timedelta(hours=167))).total_seconds() / 3600 / 168)
    line = f'<path class="theft" d="M{place:.1f} 8V160"/>'
    return drawn.replace("</svg>", line + "</svg>", 1)


def _whole(figure: str) -> str:
    """Return the chart of a page as a picture of its own."""
    svg = figure[figure.index("<svg") : figure.index("</svg>") + 6]
    head, rest = svg.split(">", 1)
    if "xmlns" not in head:
        head += ' xmlns="http://www.w3.org/2000/svg"'
    return f'{head}><style>{STYLE}</style><rect class="ground" width="100%" height="100%"/>{rest}\n'


def _said(alert: dict[str, Any]) -> str:
    lines = [f"> **{alert['severity']}**: {alert['summary']}", ">"]
    lines += ["> | detector | seen | usual |", "> |---|---|---|"]
    lines += [
        f"> | {one['detector']} | {one['observed']} | {one['expected']} |"
        for one in alert["evidence"]
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
