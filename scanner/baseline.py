"""Baselines: findings that are known already, so that only new ones are reported.

A baseline is any earlier report (JSON, JSON lines, SARIF) or a compact file of fingerprints. A
fingerprint outlives moved lines and renamed files and knows no rule, so a baseline changes only
when secrets come or go; the compact file is sorted and holds no time, so that it does not churn.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from vocabulary.errors import ConfigError
from vocabulary.finding import Finding

FINGERPRINT = re.compile(r"[0-9a-f]{32}|[0-9a-f]{20}-[0-9a-f]{3}")
_HEAD = "# keywatch baseline: a fingerprint and its rule a line (keywatch scan --write-baseline)"


def read(file: Path) -> frozenset[str]:
    """Return the fingerprints that a baseline holds.

    Args:
        file: a report of `keywatch scan`, or a compact file.

    Raises:
        ConfigError: it cannot be read, or is none of these; says the line.
    """
    text = text_of(file)
    if not text.lstrip().startswith("{"):
        return frozenset(_compact(text, file))
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return frozenset(_lines(text, file))
    return frozenset(_report(document, file))


def text_of(file: Path) -> str:
    """Return the text of a file.

    Raises:
        ConfigError: it cannot be read, or is no text.
    """
    try:
        return file.read_text("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigError(reason, where=str(file), remedy="name another file") from None
    except UnicodeDecodeError:
        raise ConfigError("this is not UTF-8 text", where=str(file)) from None


def write(file: Path, findings: Iterable[Finding]) -> None:
    """Write the compact file, whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    known = {finding.fingerprint: finding.rule for finding in findings}
    replace(file, "\n".join([_HEAD, *(f"{name} {known[name]}" for name in sorted(known))]) + "\n")


def replace(file: Path, text: str) -> None:
    """Put a text in the place of a file's.

    Raises:
        ConfigError: that is not possible.
    """
    temporary = file.with_name(f".{file.name}.new")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(file)
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise ConfigError(reason, where=str(file), remedy="name another file") from None


def _compact(text: str, file: Path) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if words := line.partition("#")[0].split():
            yield _checked(words[0], f"{file}:{number}")


def _lines(text: str, file: Path) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{file}:{number}"
        if line.strip():
            try:
                yield _named(msgspec.json.decode(line), where)
            except msgspec.DecodeError:
                raise ConfigError("this line is not JSON", where=where) from None


def _report(document: Any, file: Path) -> Iterator[str]:  # noqa: ANN401
    """Yield the fingerprints of a JSON report, of SARIF, or of a single JSON line."""
    if isinstance(document.get("findings"), list):
        for number, finding in enumerate(document["findings"]):
            yield _named(finding, f"{file}: findings[{number}]")
    elif isinstance(document.get("runs"), list):
        for run in document["runs"]:
            for number, result in enumerate(run.get("results", ())):
                prints = result.get("partialFingerprints", {})
                yield _checked(prints.get("keywatch/v1"), f"{file}: results[{number}]")
    elif "plugins_used" in document or "results" in document:
        raise ConfigError(
            "this is a baseline of detect-secrets",
            where=str(file),
            remedy="take it over with `keywatch ignore import`",
        )
    else:
        yield _named(document, str(file))


def _named(finding: Any, where: str) -> str:  # noqa: ANN401
    return _checked(finding.get("fingerprint") if isinstance(finding, dict) else None, where)


def _checked(name: object, where: str) -> str:
    if isinstance(name, str) and FINGERPRINT.fullmatch(name):
        return name
    raise ConfigError(
        "no fingerprint of keywatch stands here",
        where=where,
        remedy="a baseline is a report of `keywatch scan`, or made with --write-baseline",
    )
