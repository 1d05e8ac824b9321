"""The console script, and `python -m keywatch`."""

# ruff: noqa: PTH118, PTH120  (pathlib takes longer to import than help takes to be there)

import gc
import os
import sys

ROOMS = [
    "vocabulary",
    "database",
    "keystore",
    "scanner",
    "detectors",
    "streams",
    "actions",
    "gateway",
    "keywatch",
    "rules",
]
HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
GARBAGE = (50_000, 50, 50)
"""Python looks for cycles every 700 objects, which took a tenth of the time to start and to read a
log: what is made there is freed by counting. Cycles are rare, and still looked for."""


def _leave_current_directory() -> None:
    """Take out of the import path what `python -m` put first: the current directory.

    It may be a hostile checkout that is about to be scanned. Where it is our own root, an
    installed keywatch finds itself without it; one that is not installed needs it.
    """
    if sys.flags.safe_path or not sys.path:
        return
    first = os.path.realpath(sys.path[0] or ".")
    if first == os.path.realpath(".") and first not in (HERE, os.path.dirname(sys.executable)):
        del sys.path[0]


def shadowed() -> str:
    """Say which room another package stands in for; empty when all are ours."""
    for room in ROOMS:
        found = (finder.find_spec(room, None) for finder in sys.meta_path)
        spec = next(filter(None, found), None)
        places = list(spec.submodule_search_locations or [spec.origin or ""]) if spec else []
        if not any(os.path.realpath(place) == os.path.join(HERE, room) for place in places):
            hiding = places[0] if places else "nothing"
            return f"keywatch's own package `{room}` is hidden by {hiding}"
    return ""


def main() -> None:
    """Run the command line."""
    gc.set_threshold(*GARBAGE)
    _leave_current_directory()
    if said := shadowed():
        sys.stderr.write(
            f"keywatch: {said} (install keywatch into an environment of its own, as pipx does)\n"
        )
        sys.exit(3)
    # only once the import path is known to be good
    from keywatch import quick  # noqa: PLC0415

    code = quick.run(sys.argv[1:])
    if code is None:
        from keywatch.cli import run  # noqa: PLC0415  (what is quick does without)

        code = run()
    sys.exit(code)


if __name__ == "__main__":
    main()
