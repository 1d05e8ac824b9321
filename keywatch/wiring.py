"""From settings to the parts they configure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vocabulary.credential import Cleaner

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from actions.executor import Executor
    from actions.hook import Hook
    from actions.policy import Policy
    from detectors.forest import Forest
    from detectors.geoip import GeoReader
    from keywatch.config import Settings
    from keywatch.config_detection import GeoipSettings, ScanSettings
    from scanner.options import ScanOptions
    from scanner.rules import RuleSet
    from streams.parsed import Format
    from vocabulary.alert import Alert
    from vocabulary.credential import Exposure, KnownKey

# Each function imports what it builds: a command pays only for the rooms it enters.
# ruff: noqa: PLC0415


def rules(scan: "ScanSettings") -> "RuleSet":
    """Read the shipped rules and the user's."""
    from scanner.rules import load_rules

    return load_rules([Path(file) for file in scan.rules], scan.disabled)


def scan_options(settings: "Settings") -> "ScanOptions":
    """Return how the configuration says that repositories are scanned."""
    from keywatch import places
    from scanner.options import ScanOptions
    from vocabulary.finding import Confidence

    return ScanOptions(
        confidence=Confidence(settings.scan.confidence),
        rules=tuple(Path(file) for file in settings.scan.rules),
        disabled=settings.scan.disabled,
        fingerprint_key=settings.scan.fingerprint_key.encode(),
        peppers=peppers(settings),
        ignores=places.ignores_in(places.ignore_file(settings.scan.ignore)),
    )


def redactor(scan: "ScanSettings", peppers: Mapping[str, bytes]) -> Cleaner:
    """Return what replaces secrets in text that is not yet a line of a log.

    What such text says of secrets that were replaced before is nobody's word but the sender's.
    """
    from scanner.redact import Redactor

    return Redactor(rules(scan), peppers).clean


def cleaner(scan: "ScanSettings", peppers: Mapping[str, bytes]) -> Cleaner:
    """Return what replaces secrets in log lines, and hears of those that were replaced before."""
    from vocabulary.exposed import exposures_in

    redact = redactor(scan, peppers)

    def clean(lines: Sequence[bytes]) -> "tuple[Sequence[bytes], Sequence[Exposure]]":
        cleaned, exposures = redact(lines)
        before = exposures_in(lines)
        return cleaned, ([*exposures, *before] if before else exposures)

    return clean


def log_format(settings: "Settings", name: str) -> "Format":
    """Return the format of that name, shaped and as late as configured sources of it have it.

    Of several sources the one that waits longest says how late an event may come.
    """
    from dataclasses import replace

    from streams import formats

    mine = [one for one in settings.sources if one.format == name]
    shape = next((one.shape for one in mine if one.shape), None)
    found = formats.shaped(name, shape) if shape else formats.find(name)
    lateness_s = max((one.lateness_s for one in mine), default=0.0)
    return replace(found, lateness_s=lateness_s) if lateness_s else found


def geo(settings: "GeoipSettings") -> "GeoReader":
    """Open the configured databases of places."""
    from detectors.geoip import GeoReader

    return GeoReader(
        [settings.city] if settings.city else [], [settings.asn] if settings.asn else []
    )


def forest(file: str, formats: "Iterable[str]") -> "Forest | None":
    """Read a model of sessions, if one is named; refuse it for other formats than its own.

    Raises:
        ConfigError: when the file is no such model, or was trained on logs of another format.
    """
    if not file:
        return None
    from detectors.forest import loaded
    from detectors.sessions import FEATURES
    from vocabulary.errors import ConfigError

    model = loaded(Path(file), FEATURES)
    if foreign := sorted(set(formats) - set(model.formats)):
        raise ConfigError(
            f"this model was trained on {', '.join(model.formats)}, not on {foreign[0]}",
            where=file,
            remedy="train one on logs of that format too",
        )
    return model


def policy(settings: "Settings") -> "Policy":
    """Read the configured policy, or the built-in one."""
    from actions import policy as policies

    return policies.load(settings.actions.policy or None)


def enabled(settings: "Settings") -> frozenset[str]:
    """Return the actions that may be carried out.

    Raises:
        ConfigError: for a name that is no action.
    """
    from actions.decide import ALL
    from vocabulary.errors import ConfigError

    if wrong := sorted(set(settings.actions.enabled) - ALL):
        raise ConfigError(
            f"`{wrong[0]}` is no action",
            where="actions.enabled",
            remedy=f"there are {', '.join(sorted(ALL))}",
        )
    return frozenset(settings.actions.enabled)


def hook(settings: "Settings") -> "Hook | None":
    """Load the configured say of the user's own in decisions."""
    from actions import hook as hooks

    return hooks.load(settings.actions.hook)


def executor(settings: "Settings", engine: "Engine") -> "Executor":
    """Return what carries out the outbox."""
    from actions.executor import Executor, Limits
    from actions.notify import notifiers
    from actions.telling.manners import manners_of

    configured = [msgspec.structs.asdict(one) for one in settings.notify]
    manners = {one["name"]: mine for one in configured if (mine := manners_of(one))}
    limits = Limits(manners, policy(settings).guards)
    return Executor(engine, notifiers=notifiers(configured), limits=limits)


def responder(
    policy: "Policy",
    enabled: frozenset[str],
    known: "Callable[[Connection, str], KnownKey | None]",
    now_of: "Callable[[Alert], float]",
    hook: "Hook | None" = None,
    called: "Callable[[str], Sequence[str]] | None" = None,
) -> "Callable[[Connection, Alert], Alert]":
    """Return what decides on alerts and records what follows.

    `now_of` is the time at which an alert is answered: of the machine, or in a replay its own.
    `hook` is the user's own say; see `actions.hook`. `called` is the endpoints that a key calls.
    """
    from actions.blast import nobody_knows
    from actions.respond import respond

    def answer(connection: "Connection", alert: "Alert") -> "Alert":
        key = known(connection, alert.key) if alert.key else None
        return respond(
            connection, alert, key, policy, enabled, now_of(alert), hook, called or nobody_knows
        )

    return answer


def peppers(settings: "Settings") -> dict[str, bytes]:
    """Return the configured peppers as bytes."""
    return {name: pepper.encode() for name, pepper in settings.keys.peppers.items()}
