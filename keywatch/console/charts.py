"""Charts as SVG: numbers in, markup out; colours come from the style sheet, words stand beside."""

from collections.abc import Mapping, Sequence
from math import sqrt

from markupsafe import Markup, escape

from keywatch.desk.contract import SEVERITIES, Day

_WIDTH, _LEFT = 720, 34


def days(shown: Sequence[Day]) -> Markup:
    """Draw alerts by day, the severities upon one another."""
    height, base = 190, 160
    most = max((sum(day.alerts.values()) for day in shown), default=0) or 1
    step = (_WIDTH - _LEFT) / max(len(shown), 1)
    parts = [_axis(base, most, 140)]
    for place, day in enumerate(shown):
        x, y = _LEFT + place * step + 4, float(base)
        said = ", ".join(f"{n} {name}" for name, n in day.alerts.items() if n) or "none"
        bars = []
        for severity in reversed(SEVERITIES):
            tall = 140 * day.alerts[severity] / most
            y -= tall
            if tall:
                bars.append(_bar(severity, x, y, step - 8, tall))
        parts.append(f"<g><title>{escape(day.day)}: {escape(said)}</title>{''.join(bars)}</g>")
        if place % 2 == 0:
            parts.append(f'<text x="{x:.1f}" y="{base + 16}">{escape(day.day[5:])}</text>')
    total = sum(sum(day.alerts.values()) for day in shown)
    about = f"{total} alerts in {len(shown)} days, by day and severity"
    return figure(about, height, parts) + legend([(name, name) for name in SEVERITIES])


def use(hours: Sequence[tuple[str, int, int]], usual: Sequence[float] = ()) -> Markup:
    """Draw requests hour by hour over the band that is usual.

    Args:
        hours: when, requests, of which refused; without gaps.
        usual: requests that are usual in each of these hours; empty for not known.
    """
    height, base = 190, 160
    bands = [(max(m - 2 * sqrt(m), 0.0), m + 2 * sqrt(m)) for m in usual]
    most = max([n for _, n, _ in hours] + [top for _, top in bands] + [1])
    step = (_WIDTH - _LEFT) / max(len(hours), 1)
    parts = [_axis(base, most, 140)]
    parts += [
        _bar("band", _LEFT + i * step, base - 140 * top / most, step, 140 * (top - low) / most)
        for i, (low, top) in enumerate(bands)
    ]
    for i, (at, requests, refused) in enumerate(hours):
        x, tall, bad = _LEFT + i * step, 140 * requests / most, 140 * refused / most
        bars = _bar("bar", x + step * 0.15, base - tall, step * 0.7, tall - bad)
        if bad:
            bars += _bar("bad", x + step * 0.15, base - bad, step * 0.7, bad)
        parts.append(f"<g><title>{escape(at)}: {requests}, {refused} refused</title>{bars}</g>")
        if i % 24 == 0:
            parts.append(f'<text x="{x:.1f}" y="{base + 16}">{escape(at[5:10])}</text>')
    total = sum(n for _, n, _ in hours)
    about = f"{total} requests in {len(hours)} hours, hour by hour"
    names = [("bar", "let in"), ("bad", "refused")]
    names += [("band", "usual for the hour, ± 2 standard deviations")] if bands else []
    return figure(about, height, parts) + legend(names)


def week(shares: Mapping[str, Sequence[float]]) -> Markup:
    """Draw the hours of a week as a map: a row a day, a column an hour, 0 to 1."""
    cell, top = (_WIDTH - _LEFT) / 24, 18
    parts = [
        f'<text x="{_LEFT + hour * cell:.1f}" y="12">{hour:02}</text>' for hour in range(0, 24, 3)
    ]
    for line, (day, values) in enumerate(shares.items()):
        y = top + line * 22
        parts.append(f'<text x="0" y="{y + 15}">{escape(day)}</text>')
        for hour, share in enumerate(values):
            box = _bar(f"s{shade(share)}", _LEFT + hour * cell, y, cell - 2, 20)
            parts.append(f"<g><title>{escape(day)} {hour:02}:00, {share:.0%}</title>{box}</g>")
    busiest = max(shares, key=lambda day: sum(shares[day]), default="no day")
    about = f"Share of use by hour and day of the week; most on {busiest}"
    return figure(about, 174, parts, whole=True)


def legend(names: Sequence[tuple[str, str]]) -> Markup:
    """Say what the colours mean."""
    return Markup("<p>{}</p>").format(
        Markup("").join(
            Markup(
                '<span class="legend"><svg width="12" height="12" aria-hidden="true">'
                '<rect class="{}" width="12" height="12" rx="2"/></svg>{}</span>'
            ).format(kind, words)
            for kind, words in names
        )
    )


def shade(share: float) -> int:
    """Return the shade of a share from 0 to 1: nothing at all has a shade of its own."""
    return 0 if share <= 0 else min(1 + int(share * 5), 5)


def _axis(base: int, most: float, tall: int) -> str:
    return (
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{base}" y2="{base}"/>'
        f'<text x="0" y="{base - tall + 8}">{most:.0f}</text><text x="0" y="{base}">0</text>'
    )


def _bar(kind: str, x: float, y: float, wide: float, tall: float) -> str:
    size = f'width="{max(wide, 0.5):.1f}" height="{max(tall, 0):.1f}"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}/>'


def figure(about: str, height: int, parts: Sequence[str], *, whole: bool = False) -> Markup:
    """Put the parts of a chart together, in a box that scrolls where the screen is narrow.

    Args:
        about: what it shows, in words.
        height: for a width of 720.
        parts: markup; all that is not a number must have been escaped.
        whole: it is shrunk to the screen instead; else the right end is shown first, today.
    """
    inner = Markup("".join(parts))  # noqa: S704
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="{3}">'
        '<svg class="chart{4}" viewBox="0 0 {0} {1}" role="img" aria-label="{3}">{2}</svg></div>'
    ).format(_WIDTH, height, inner, about, " whole" if whole else "")
