"""Help, and the two commands that run before every commit, without a command line's machinery.

`keywatch scan --staged` and `keywatch hook run pre-commit` do here exactly what they do there,
without importing what parses and explains all the other words. Whatever is unusual, an error first
of all, is left to the command line.
"""

import gc
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanner.run import Report

# ruff: noqa: PLC0415, PTH118, PTH120, PTH123  (see above)

_STAGED = (["scan", "--staged"], ["scan", "--staged", "."], ["scan", ".", "--staged"])
_HOOK = ["hook", "run", "pre-commit"]


COLUMNS = 80
"""On wider terminals help is as wide as on one of this width."""


def run(words: "Sequence[str]") -> int | None:
    """Do what the words say, if it is done here; returns the exit code, else None."""
    if list(words) in (["--help"], ["-h"]):
        return _help()
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
        from vocabulary.errors import ExitCode

        return ExitCode.INTERRUPTED
    finally:
        gc.enable()
    return _said(out.getvalue(), err.getvalue(), code)


def _help() -> int | None:
    """Say what docs/reference.py has written down."""
    try:
        wide = not sys.stdout.isatty() or os.get_terminal_size().columns >= COLUMNS
        if not wide or any(name in os.environ for name in ("COLUMNS", "_KEYWATCH_COMPLETE")):
            return None
        file = os.path.join(os.path.dirname(__file__), "help.txt")
        with open(file, encoding="utf-8") as stream:
            return _said(stream.read(), "", 0)
    except OSError:
        return None


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
