"""Which findings are reported, which are known, and which are ignored."""

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from scanner.ignorefile import Ignore
from scanner.receipt import Receipt
from vocabulary.finding import Finding


class Sorted(msgspec.Struct):
    """Findings by what becomes of them.

    Attributes:
        shown: reported.
        known: hidden by the baseline.
        ignored: hidden by an ignore.
        expired: ignores that hid their finding until their day had passed.
    """

    shown: list[Finding] = msgspec.field(default_factory=list)
    known: list[Finding] = msgspec.field(default_factory=list)
    ignored: list[Finding] = msgspec.field(default_factory=list)
    expired: list[Ignore] = msgspec.field(default_factory=list)


def sort(
    findings: Iterable[Finding],
    baseline: frozenset[str],
    ignores: Sequence[Ignore],
    today: dt.date,
) -> Sorted:
    """Sort findings; one whose ignore has expired is shown even if the baseline knows it.

    Args:
        findings: in the order of the report.
        baseline: fingerprints.
        ignores: one a fingerprint.
        today: in UTC.
    """
    by_name = {ignore.fingerprint: ignore for ignore in ignores}
    found = Sorted()
    for finding in findings:
        ignore = by_name.get(finding.fingerprint)
        if ignore and ignore.holds(today):
            found.ignored.append(finding)
        elif ignore:
            found.expired.append(ignore)
            found.shown.append(_reminded(finding, ignore))
        elif finding.fingerprint in baseline:
            found.known.append(finding)
        else:
            found.shown.append(finding)
    return found


def day(now: float) -> dt.date:
    """Return the day in UTC of a moment in epoch seconds."""
    return dt.datetime.fromtimestamp(now, dt.UTC).date()


def _reminded(finding: Finding, ignore: Ignore) -> Finding:
    said = f"{ignore.owner} had it ignored until {ignore.expires}: {ignore.reason}"
    return replace(finding, reasons=(*finding.reasons, said))


def tell(found: Sorted, baseline: frozenset[str], receipt: Receipt) -> None:
    """Write into the receipt what is hidden; what is dangerous about it becomes a warning."""
    receipt.known, receipt.ignored_by_file = len(found.known), len(found.ignored)
    receipt.expired = [
        {"fingerprint": one.fingerprint, "owner": one.owner, "expires": str(one.expires)}
        for one in found.expired
    ]
    receipt.warnings += [
        f"the ignore of {one.fingerprint} by {one.owner} ended on {one.expires}: it is shown again"
        for one in found.expired
    ]
    hidden = [*found.known, *found.ignored]
    live = sum(finding.verdict.store == "live" for finding in hidden)
    if live:
        receipt.warnings.append(f"{live} of the hidden findings are keys of yours that work")
    if baseline and found.shown and not found.known:
        receipt.warnings.append(
            "nothing of the baseline was found: was it made of another repository, of a shallow "
            "clone, or with another key for fingerprints?"
        )
