"""The options that say what a key may do and who it belongs to, for every command that asks."""

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeVar

import click

from keywatch.cli.common import json_option

F = TypeVar("F", bound=Callable[..., Any])
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = tuple(map(str, range(24)))

_OPTIONS = {
    "name": click.option("--name", default="", help="What people call it."),
    "owner": click.option("--owner", default="", help="Who is told when something happens to it."),
    "account": click.option(
        "--account", default="", help="The account it belongs to; made when there is none."
    ),
    "key_class": click.option(
        "--class", "key_class", default="", help="Its user: human, service, cron, mobile or ai."
    ),
    "tz": click.option("--tz", default="", help="The owner's time zone, such as Europe/Paris."),
    "scopes": click.option(
        "--scope", "scopes", multiple=True, help="What it may do; may be repeated."
    ),
    "networks": click.option(
        "--network", "networks", multiple=True, metavar="CIDR", help="From where; may be repeated."
    ),
    "endpoints": click.option(
        "--endpoint",
        "endpoints",
        multiple=True,
        metavar="PATTERN",
        help="What it may call, such as 'GET /v1/*'; may be repeated.",
    ),
    "models": click.option(
        "--model",
        "models",
        multiple=True,
        metavar="PATTERN",
        help="AI models it may ask, such as 'gpt-4o-*'; may be repeated.",
    ),
    "requires": click.option(
        "--require",
        "requires",
        multiple=True,
        type=click.Choice(["token", "certificate"]),
        help="What must come with it; may be repeated.",
    ),
    "plan": click.option("--plan", default="", help="Instead of its account's plan."),
    "limits": click.option(
        "--limit",
        "limits",
        multiple=True,
        metavar="LIMIT",
        help="Instead of its plan's: such as 600/min or 20/s:5; may be repeated.",
    ),
    "tokens_per_min": click.option(
        "--tokens-per-min", type=click.IntRange(0), help="Budget of AI tokens a minute."
    ),
    "tokens_per_day": click.option("--tokens-per-day", type=click.IntRange(0), help="In 24 hours."),
    "tokens_per_month": click.option(
        "--tokens-per-month", type=click.IntRange(0), help="In 30 days."
    ),
    "countries": click.option(
        "--country",
        "countries",
        multiple=True,
        metavar="CC",
        help="Declared: a country it is used from, such as FR; may be repeated.",
    ),
    "hours": click.option(
        "--hours", default="", help="Declared: hours of its own day, such as 8-18 or 22-6."
    ),
    "days": click.option("--days", default="", help="Declared: such as mon-fri or sat,sun."),
    "rate_per_h": click.option(
        "--rate-per-h", type=click.FloatRange(0), help="Declared: requests in a usual hour."
    ),
}
_DECLARED = ("countries", "hours", "days", "rate_per_h")

CLEARED: Mapping[str, tuple[str, Any]] = {
    "name": ("name", ""),
    "owner": ("owner", ""),
    "account": ("account", ""),
    "class": ("key_class", ""),
    "tz": ("tz", ""),
    "scopes": ("scopes", ()),
    "networks": ("networks", ()),
    "endpoints": ("endpoints", ()),
    "models": ("models", ()),
    "requires": ("requires", ()),
    "plan": ("plan", ""),
    "limits": ("limits", ()),
    "tokens-per-min": ("tokens_per_min", None),
    "tokens-per-day": ("tokens_per_day", None),
    "tokens-per-month": ("tokens_per_month", None),
}
"""What can be taken away from a key: word of the command line → field and its empty value."""


def acting(verb: F) -> F:
    """Give a command the options that every change has."""
    reason = click.option(
        "--reason", default="asked for on the command line", help="Why, for the audit log."
    )
    actor = click.option("--actor", default="", help="Who, for the audit log. Default: you.")
    return json_option(reason(actor(verb)))


until_option = click.option(
    "--until", default="", metavar="WHEN", help="Such as 2h or an RFC 3339 time. Default: no end."
)


def until_of(until: str, now: float) -> float | None:
    """Return epoch seconds of what --until says; None for no end."""
    from vocabulary.moments import moment_of

    return moment_of(until, now) if until else None


def granting(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of grants; those that were used come as the dict `granted`."""

    @wraps(verb)
    def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  (any command)
        chosen = {name: named.pop(name) for name in _OPTIONS}
        given = {name: value for name, value in chosen.items() if value not in ("", (), None)}
        return verb(*arguments, granted=_granted(given), **named)

    for option in reversed(_OPTIONS.values()):
        call = option(call)
    return call


def _granted(given: Mapping[str, Any]) -> dict[str, Any]:
    granted = {name: value for name, value in given.items() if name not in _DECLARED}
    said = {name: given[name] for name in _DECLARED if name in given}
    if said:
        from keystore.keys import Declared

        said["hours"] = _places(said.get("hours", ""), _HOURS, "hours", open_end=True)
        said["days"] = _places(said.get("days", ""), _DAYS, "days", open_end=False)
        granted["declared"] = Declared(**said)
    return granted


def _places(text: str, names: tuple[str, ...], what: str, *, open_end: bool) -> tuple[int, ...]:
    """Read `8-18,22` or `mon-fri`; with an open end 18 o'clock is not within 8-18."""
    found: set[int] = set()
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        first, dash, last = part.partition("-")
        start = _place(first, names, what)
        end = _place(last, (*names, str(len(names))), what) if dash else start
        found |= {start} if not dash else set(_around(start, end, len(names), open_end=open_end))
    return tuple(sorted(found))


def _around(start: int, end: int, size: int, *, open_end: bool) -> Iterable[int]:
    length = (end - start - 1) % size + 1 if open_end else (end - start) % size + 1
    return ((start + step) % size for step in range(length))


def _place(text: str, names: tuple[str, ...], what: str) -> int:
    name = text.strip()
    name = name.lstrip("0") or "0" if name.isdigit() else name[:3]
    if name not in names:
        raise click.BadParameter(f"{text!r} is none of them", param_hint=f"--{what}")
    return names.index(name)
