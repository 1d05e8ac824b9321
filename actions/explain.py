"""The policy in words, and a table of alerts against which it is tested."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from actions.decide import ALL, decide
from actions.maintenance import Word
from actions.policy import Case, Policy
from keystore.unregistered import CREDENTIAL
from vocabulary import toml
from vocabulary.action import ActionKind
from vocabulary.alert import Alert, Span
from vocabulary.credential import KnownKey


class AboutAlert(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The alert of a test; what is not said is as usual."""

    severity: Word = "high"
    kind: str = "anomaly"
    family: str = "network"
    ip: str = ""
    exposure: str = ""


class AboutKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The key of a test; what is not said is as usual.

    One that is not known is a secret that is nobody's, unless its `id` is that of somebody whom a
    gateway lets in without being registered: `token:…` or `certificate:…`.
    """

    id: str = ""
    state: str = "active"
    verdict: str = "live"
    environment: str = "live"
    owner: str = ""
    key_class: str = ""
    publishable: bool = False
    known: bool = True

    @property
    def subject(self) -> str:
        """What the alert calls it."""
        return self.id or ("key_test" if self.known else f"{CREDENTIAL}{'0' * 16}")


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the policy should make of it; `notify` only where it matters."""

    action: ActionKind
    notify: tuple[str, ...] | None = None


class PolicyTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One line of the table."""

    name: str
    expect: Expected
    alert: AboutAlert = AboutAlert()
    key: AboutKey = AboutKey()


class PolicyTests(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of tests: an array of tables `[[test]]`."""

    test: tuple[PolicyTest, ...]


class Tried(msgspec.Struct, frozen=True):
    """How a test of the policy came out; `wrong` is empty when it is well."""

    name: str
    action: str
    line: str
    guard: str
    wrong: str


def read_tests(path: Path) -> PolicyTests:
    """Read a file of tests.

    Raises:
        ConfigError: for any entry that is unknown or wrong, with file and line.
    """
    return toml.read(path, PolicyTests)


def tried(tests: PolicyTests, policy: Policy) -> Iterator[Tried]:
    """Decide each test's alert, with all actions enabled, and compare."""
    for test in tests.test:
        key = test.key
        known = KnownKey(
            key.subject,
            key.state,
            key.verdict,
            key.environment,
            owner=key.owner,
            key_class=key.key_class,
            publishable=key.publishable,
        )
        decision = decide(_alert(test), known if key.known else None, policy, ALL)
        wrong = []
        if decision.action is not test.expect.action:
            wrong.append(f"expected {test.expect.action}")
        if test.expect.notify not in (None, decision.notify):
            told = ", ".join(decision.notify)
            wrong.append(f"expected to tell {', '.join(test.expect.notify or ())}, not {told}")
        yield Tried(
            test.name, decision.action.value, decision.line, decision.guard, "; ".join(wrong)
        )


def rows(policy: Policy) -> Iterator[dict[str, str]]:
    """Return each case of the policy as (line, name, when, then, tells)."""
    for case, line in zip(policy.cases, policy.lines, strict=True):
        yield {
            "line": line,
            "name": case.name,
            "when": when(case),
            "then": then(case),
            "tells": ", ".join(case.notify),
        }


def when(case: Case) -> str:
    """Say what must be so for a case to fit."""
    fields: Mapping[str, Any] = msgspec.structs.asdict(case)
    names = ("severity", "kind", "family", "exposure", "environment", "key_class", "owner")
    said = [f"{name} {' or '.join(fields[name])}" for name in names if fields[name]]
    if case.publishable is not None:
        said.append("publishable" if case.publishable else "not publishable")
    if case.known is not None:
        said.append("known to the key store" if case.known else "unknown to the key store")
    return " and ".join(said) or "always"


def then(case: Case) -> str:
    """Say what a case does."""
    said = case.action.value
    if case.rate_per_min:
        said += f" to {case.rate_per_min}/min"
    if case.duration:
        said += f" for {case.duration}"
    if case.after:
        said += f", then {case.then} after {case.after} unless somebody is on it"
    if case.undo_after:
        said += f", undone after {case.undo_after} unless confirmed"
    return said


def _alert(test: PolicyTest) -> Alert:
    about = test.alert
    key = "" if about.ip else test.key.subject
    return Alert(
        id="alert_test",
        ts="",
        kind=about.kind,
        severity=about.severity,
        family=about.family,
        summary=test.name,
        evidence=(),
        events=Span("", "", 0),
        key=key,
        ip=about.ip,
        exposure=about.exposure,
    )
