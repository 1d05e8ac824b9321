"""The policy: which alert leads to which action, as a person wrote it down in TOML."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from actions.maintenance import Window, Word
from vocabulary import moments, toml
from vocabulary.action import ActionKind
from vocabulary.alert import Alert, Severity
from vocabulary.credential import KnownKey
from vocabulary.errors import ConfigError

BUILT_IN = Path(__file__).with_name("policy.toml")

_WORDS = (*(severity.word for severity in Severity), *ActionKind)
_WITH_DURATION = (ActionKind.THROTTLE, ActionKind.SUSPEND, ActionKind.ROTATE, ActionKind.REISSUE)
_WITH_GRACE = (ActionKind.ROTATE, ActionKind.REISSUE)
_LATER = (ActionKind.NONE, ActionKind.SUSPEND, ActionKind.REVOKE)
_LISTS = ("severity", "kind", "family", "environment", "key_class", "owner", "exposure")
_CHOICES = ("publishable", "known")
_LASTING = (ActionKind.ROTATE, ActionKind.REISSUE, ActionKind.REVOKE)
_LEAKS = ("leak", "exposed-in-log")

Family = Literal["network", "time", "volume", "behaviour", "leak"]
Exposed = Literal["public", "private", "log"]
Duration = Annotated[str, msgspec.Meta(pattern=r"^([0-9]+ ?[smhdw])?$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of the policy: what must be so, and what is done then."""

    name: str = ""
    severity: tuple[Word, ...] = ()
    kind: tuple[str, ...] = ()
    family: tuple[Family, ...] = ()
    environment: tuple[str, ...] = ()
    key_class: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    exposure: tuple[Exposed, ...] = ()
    publishable: bool | None = None
    known: bool | None = None
    action: ActionKind = ActionKind.NONE
    rate_per_min: Count = 0
    duration: Duration = ""
    then: ActionKind = ActionKind.NONE
    after: Duration = ""
    undo_after: Duration = ""
    notify: tuple[str, ...] = ("log",)

    def fits(self, alert: Alert, key: KnownKey | None) -> bool:
        """Say whether everything that the case names is so; without a key, nothing of it is."""
        about_alert = (
            (self.severity, alert.severity),
            (self.kind, alert.kind),
            (self.family, alert.family),
            (self.exposure, alert.exposure),
        )
        about_key = (
            (self.environment, key and key.environment),
            (self.key_class, key and key.key_class),
            (self.owner, key and key.owner),
            (() if self.publishable is None else (self.publishable,), key and key.publishable),
            (() if self.known is None else (self.known,), key is not None),
        )
        return all(not named or found in named for named, found in about_alert + about_key)

    def covers(self, other: "Case") -> bool:
        """Say whether whatever fits `other` fits this one too."""
        wide = (not getattr(self, name) or _within(other, self, name) for name in _LISTS)
        told = all(getattr(self, name) in (None, getattr(other, name)) for name in _CHOICES)
        return all(wide) and told


class Guards(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What holds the policy back, whatever it says."""

    protected: tuple[str, ...] = ()
    revocations_per_hour: Count = 20
    revoked_traffic: Share = 0.25
    breaker_keys: Count = 10
    breaker_share: Share = 0.1
    breaker_traffic: Share = 0.5
    breaker_window: Duration = "10m"
    two_person: tuple[ActionKind, ...] = ()
    maintenance: tuple[Window, ...] = ()
    notify: tuple[str, ...] = ("security",)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    incident_window: Duration = "24h"
    guards: Guards = Guards()
    case: tuple[Case, ...] = ()
    """For the names that are valid; each one is converted by itself."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read and found sound.

    Attributes:
        cases: in order; the first that fits decides.
        lines: of each case, where it stands: `policy.toml:12`.
        digest: of the text, so that a decision can name what made it.
        incident_window_s: alerts of one key that are not further apart are one incident.
        text: as it was written.
    """

    cases: tuple[Case, ...]
    lines: tuple[str, ...]
    guards: Guards
    digest: str
    incident_window_s: float
    text: str = field(default="", repr=False)

    def case_for(self, alert: Alert, key: KnownKey | None) -> tuple[Case, str]:
        """Return the case that decides, and where it stands."""
        for case, line in zip(self.cases, self.lines, strict=True):
            if case.fits(alert, key):
                return case, line
        return Case(), "no case of the policy fits"


def load(path: Path | str | None = None) -> Policy:
    """Read a policy.

    Args:
        path: a TOML file; None for the built-in policy.

    Raises:
        ConfigError: for any entry that is unknown, wrong, contradictory or never reached, with
            file, line and the nearest valid name.
    """
    file = Path(path) if path else BUILT_IN
    return parse(toml.text_of(file), str(path) if path else file.name)


def parse(text: str, name: str) -> Policy:
    """Read a policy from its text; `name` is what the user calls it.

    Raises:
        ConfigError: as for `load`.
    """
    lines = toml.lines_of(text)
    tree = toml.tree_of(text, name)
    raw = tree.pop("case", [])
    if not isinstance(raw, list):
        place = f"{name}:{toml.nearest_line(lines, ('case',))}"
        raise ConfigError("cases are an array of tables", where=place, remedy="write [[case]]")
    try:
        head = msgspec.convert(tree, _File)
    except msgspec.ValidationError as error:
        raise toml.refusal(error, _File, name, lines) from None
    _check_guards(head.guards, name, lines)
    places = [f"{name}:{toml.nearest_line(lines, ('case', index))}" for index in range(len(raw))]
    cases = tuple(_case(entry, index, name, lines) for index, entry in enumerate(raw))
    for problem, index in _contradictions(cases):
        raise ConfigError(problem, where=places[index])
    digest = sha256(text.encode()).hexdigest()[:12]
    window_s = seconds_of(head.incident_window)
    return Policy(cases, tuple(places), head.guards, digest, window_s, text)


def _check_guards(guards: Guards, name: str, lines: dict[toml.Address, int]) -> None:
    for index, window in enumerate(guards.maintenance):
        if problem := window.problem():
            line = toml.nearest_line(lines, ("guards", "maintenance", index))
            raise ConfigError(problem, where=f"{name}:{line}")
    if ActionKind.NONE in guards.two_person:
        line = toml.nearest_line(lines, ("guards", "two_person"))
        raise ConfigError("`none` needs nobody's approval", where=f"{name}:{line}")


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration of the policy; 0 where none is given."""
    return moments.seconds_of(duration) if duration else 0.0


def _case(entry: object, index: int, name: str, lines: dict[toml.Address, int]) -> Case:
    """Convert one case by itself, since msgspec does not tell which of an array was wrong."""
    inside = {(): toml.nearest_line(lines, ("case", index))} | {
        address[2:]: line for address, line in lines.items() if address[:2] == ("case", index)
    }
    try:
        return msgspec.convert(entry, Case)
    except msgspec.ValidationError as error:
        refused = toml.refusal(error, Case, name, inside)
        remedy = refused.remedy or _nearest_word(str(error))
        raise ConfigError(refused.what, where=refused.where, remedy=remedy) from None


def _nearest_word(refusal: str) -> str:
    found = re.search(r"nvalid enum value '([^']*)'", refusal)
    near = get_close_matches(found[1], [str(word) for word in _WORDS], 1, 0.5) if found else []
    return f"did you mean `{near[0]}`?" if near else ""


def _contradictions(cases: tuple[Case, ...]) -> Iterator[tuple[str, int]]:
    for index, case in enumerate(cases):
        if problem := _contradiction(case):
            yield problem, index
        before = next((i for i, earlier in enumerate(cases[:index]) if earlier.covers(case)), None)
        if before is not None:
            earlier = cases[before].name or f"number {before + 1}"
            yield f"this case is never reached: the case `{earlier}` before it fits first", index


def _contradiction(case: Case) -> str:
    if case.action is ActionKind.THROTTLE and not case.rate_per_min:
        return "a throttle needs `rate_per_min`"
    if case.action is not ActionKind.THROTTLE and case.rate_per_min:
        return "`rate_per_min` belongs to a throttle"
    if case.action in _WITH_GRACE and not case.duration:
        return f"`{case.action}` needs a `duration`: the grace of the old key"
    if case.action not in _WITH_DURATION and case.duration:
        return f"`duration` means nothing to the action `{case.action}`"
    return _later_contradiction(case) or _exposure_contradiction(case)


def _later_contradiction(case: Case) -> str:
    ranks = list(ActionKind)
    weaker = ranks.index(case.then) <= ranks.index(case.action)
    comes_back = case.undo_after and case.action is ActionKind.REVOKE and "leak" in case.kind
    problems = {
        "`then` and `after` belong together": (case.then is ActionKind.NONE) != (not case.after),
        f"`then` may be suspend or revoke, not `{case.then}`": case.then not in _LATER,
        f"`then` must be stronger than the action `{case.action}`": case.after and weaker,
        f"`undo_after` means nothing to the action `{case.action}`: see `duration`": (
            case.undo_after and case.action not in _LASTING
        ),
        "either `then` or `undo_after`: the key cannot be both cut off and brought back": (
            case.undo_after and case.after
        ),
        "a key that leaked does not come back by itself: leave `undo_after` out": comes_back,
    }
    return next((problem for problem, holds in problems.items() if holds), "")


def _exposure_contradiction(case: Case) -> str:
    if case.exposure and case.kind and not set(case.kind) & set(_LEAKS):
        return f"`exposure` is of leaks, and no {case.kind[0]} has one"
    return ""


def _within(small: Case, large: Case, name: str) -> bool:
    named: Any = getattr(small, name)
    return bool(named) and set(named) <= set(getattr(large, name))
