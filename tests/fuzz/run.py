"""Fuzz the scanner's parsers: python tests/fuzz/run.py [--seconds N] [TARGET…]

Each target runs in a process of its own and begins with a few seeds made on the spot; what it
learned stays in build/fuzz for the next run. An input that breaks something is kept there too, as
`crash-…`; give it instead of TARGET's seconds to see it again: run.py --again FILE TARGET.
"""

import argparse
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
OUT = ROOT / "build" / "fuzz"
_NAMES = "archives text packs deltas diffs images settings".split()


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process."""
    import atheris  # noqa: PLC0415  (only here)

    with atheris.instrument_imports(include=["scanner"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415  (instrumented)
    from tests.fuzz.seeds import SEEDS  # noqa: PLC0415  (after the code that it imports)

    corpus = OUT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS[name]():
        (corpus / blake2b(seed, digest_size=16).hexdigest()).write_bytes(seed)
    options = [
        f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=65536",
        "-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={corpus}-",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", default=_NAMES, metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--again", type=Path, help="run the target on this file alone")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.again:
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415  (not instrumented)

        TARGETS[options.targets[0]](options.again.read_bytes())
        return 0
    if options.here:
        fuzz(options.targets[0], options.seconds)
    again = [sys.executable, __file__, "--here", "--seconds", str(options.seconds)]
    broken = [name for name in options.targets if subprocess.call([*again, name])]
    sys.stdout.write(f"broken: {', '.join(broken)}\n" if broken else "nothing broke\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
