"""What a profile knows of its key, as plain data for people and programs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors import levels, sessions, words
from detectors.geoip import country_of
from detectors.hosting import kind_of
from detectors.prefixes import prefix_text
from detectors.profile import DAY_MS, HOURS, Rows
from detectors.tables import TRUSTED_DAYS

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WINDOWS = ("10 s", "2 min", "10 min", "1 h", "24 h")


def portrait(
    rows: Rows,
    operators: dict[int, str],
    learning: tuple[int, int, int],
    names: Mapping[int, str],
) -> dict[str, Any]:
    """Describe a profile.

    Args:
        rows: an array of one.
        operators: names of AS numbers.
        learning: days of life, events and active days from which on a key is known.
        names: of endpoints.
    """
    row = rows[0]
    return {
        "seen": {
            "first": words.rfc3339(int(row["first"])),
            "last": words.rfc3339(int(row["clock"])),
            "events": int(row["events"]),
            "late": int(row["late"]),
            "days": int(row["days"]),
        },
        "maturity": _maturity(row, learning),
        "hours": _hours(row),
        "rate": _rate(rows),
        "networks": [
            {"network": words.network(number, operators), "kind": _kind(number, operators), **seen}
            for number, seen in _known(row, "asn")
        ],
        "prefixes": [{"prefix": prefix_text(n), **seen} for n, seen in _known(row, "prefix")],
        "countries": [{"country": country_of(n), **seen} for n, seen in _known(row, "country")],
        "clients": _counted(row, "agent"),
        "tls_fingerprints": _counted(row, "tls"),
        "endpoints": _counted(row, "endpoint") | {"named": _named(row, names)},
        "sessions": _sessions(rows),
        "tolerance": round(float(row["tolerance"]), 2),
    }


def _maturity(row: Rows, learning: tuple[int, int, int]) -> dict[str, Any]:
    age = max(int(row["day"]) - int(row["first"]) // DAY_MS, 0)
    have = (age, int(row["events"]), int(row["days"]))
    parts = [min(n / max(need, 1), 1.0) for n, need in zip(have, learning, strict=True)]
    names = ("age_days", "events", "active_days")
    return {
        "known": bool(row["mature"]),
        "progress": round(min(parts), 3),
        "has": dict(zip(names, have, strict=True)),
        "needs": dict(zip(names, learning, strict=True)),
    }


def _hours(row: Rows) -> dict[str, Any]:
    """Return the share of the key's busiest hour of the week for each hour, on its own clock."""
    week = row["active"].astype(np.float64).reshape(7, HOURS)
    most = float(week.max())
    share = np.round(week / most, 3) if most > 0 else week
    return {
        "usual": words.active_hours(row),
        "week": dict(zip(DAYS, share.tolist(), strict=True)),
        "used_all_day": bool(row["steady"]),
    }


def _rate(rows: Rows) -> dict[str, Any]:
    an_hour, a_day = levels.usual(rows)
    return {
        "per_day": round(float(a_day[0]), 1),
        "per_hour": {
            "weekday": np.round(an_hour[0, :HOURS], 2).tolist(),
            "weekend": np.round(an_hour[0, HOURS:], 2).tolist(),
        },
        "busiest": {
            window: round(float(value), 1)
            for window, value in zip(WINDOWS, rows["busiest"][0].tolist(), strict=True)
        },
    }


def _known(row: Rows, name: str) -> list[tuple[int, dict[str, Any]]]:
    values, days, last = (row[f"{name}{part}"] for part in ("", "_days", "_last"))
    order = np.argsort(-days.astype(int), kind="stable")
    return [
        (
            int(values[i]),
            {
                "days": int(days[i]),
                "last": words.rfc3339(int(last[i]) * DAY_MS)[:10],
                "trusted": bool(days[i] >= TRUSTED_DAYS),
            },
        )
        for i in order.tolist()
        if values[i]
    ]


def _counted(row: Rows, name: str) -> dict[str, int]:
    known = row[name] != 0
    return {
        "known": int(known.sum()),
        "trusted": int((known & (row[f"{name}_days"] >= TRUSTED_DAYS)).sum()),
    }


def _named(row: Rows, names: Mapping[int, str]) -> list[dict[str, Any]]:
    found = _known(row, "endpoint")
    return [{"endpoint": names[number], **seen} for number, seen in found if number in names]


def _kind(number: int, operators: dict[int, str]) -> str:
    return kind_of(number, operators.get(number, "")).name.lower() if number >> 30 == 0 else ""


def _sessions(rows: Rows) -> dict[str, str]:
    if rows["sessions"][0] < sessions.KNOWN_SESSIONS:
        return {}
    mean = sessions.means(rows, np.zeros(1, np.int64))[0]
    return {name: words.feature(i, float(mean[i])) for i, name in enumerate(sessions.FEATURES)}
