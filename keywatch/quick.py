"""The two commands that run before every commit, without the machinery of a command line.

`keywatch scan --staged` and `keywatch hook run pre-commit` do here exactly what they do there,
without importing what parses and explains all the other words. Whatever is unusual, an error first
of all, is left to the command line.
"""

import gc
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vocabulary.errors import ExitCode

if TYPE_CHECKING:
    from scanner.run import Report

# ruff: noqa: PLC0415  (see above)

_STAGED = (["scan", "--staged"], ["scan", "--staged", "."], ["scan", ".", "--staged"])
_HOOK = ["hook", "run", "pre-commit"]


def run(words: Sequence[str]) -> int | None:
    """Do what the words say, if they are of the two; returns the exit code, else None."""
    asked, config = list(words), None
    if asked[:1] == ["--config"] and len(asked) > 1:
        config, asked = asked[1], asked[2:]
    if asked not in (*_STAGED, _HOOK):
        return None
    out, err = io.StringIO(), io.StringIO()
    gc.disable()  # it would look through every module that is being imported; none is ever freed
    try:
        report = _scanned(config)
        code = _staged(report, out, err) if asked != _HOOK else _hook(report, err)
    except Exception:  # noqa: BLE001  (the command line does it again, and says what is wrong)
        return None
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        gc.enable()
    return _said(out.getvalue(), err.getvalue(), code)


def _scanned(config: str | None) -> "Report":
    _without_typing_extensions()
    from keywatch import places, scanning
    from scanner.options import ScanOptions

    if config is None and not configured():
        options = ScanOptions(staged=True, ignores=places.ignores_in(places.ignore_file()))
        return scanning.scan_target(".", options, None)
    from msgspec.structs import replace

    from keywatch import wiring

    settings, notes = scanning.settings_for(config, {}, ".")
    options = replace(wiring.scan_options(settings), staged=True)
    report = scanning.scan_target(".", options, scanning.lookup_of(settings))
    report.receipt.warnings += notes
    return report


def _without_typing_extensions() -> None:
    """Import msgspec without what it takes from there on Pythons older than any of ours.

    It brings `inspect`, `ast` and more; msgspec falls back on `typing`, which has all of it.
    """
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]


def configured() -> bool:
    """Say whether there is anything that `keywatch.config` would read, or a database."""
    from keywatch import places

    files = (places.DEFAULT_FILE, places.DEFAULT_DATABASE)
    return any(name.startswith("KEYWATCH_") for name in os.environ) or any(
        os.path.lexists(file) for file in files
    )


def _staged(report: "Report", out: io.StringIO, err: io.StringIO) -> int:
    if report.findings:
        from scanner import reports

        reports.find("table")(report, out)
    err.writelines(f"keywatch: {line}\n" for line in report.receipt.text())
    return report.receipt.exit_code


def _hook(report: "Report", err: io.StringIO) -> int:
    from keywatch.scanning import answer_hook

    return answer_hook(report, "pre-commit", err)


def _said(out: str, err: str, code: int) -> int:
    try:
        sys.stdout.write(out)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.write(err)
    return code
