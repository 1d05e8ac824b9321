"""Inputs made to be slow, at two sizes: four times the bytes must not cost much more than four.

    python bench/scan/worst.py [--rounds N]

CPU seconds of the engine in this process, compiled rules loaded before. A ratio near 4 is linear;
one near 16 would be quadratic.
"""

import argparse
import base64
import gzip
import io
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scanner import scan


def nested(size: int) -> bytes:
    text = b"token = secret\n"
    while len(text) < size:
        text = base64.b64encode(text)
    return text[:size]


def members(size: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number in range(size // 1024):
            entry = tarfile.TarInfo(f"d/{number}")
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"text\n"))
    return out.getvalue()


def zeros(size: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(size))
    return out.getvalue()


def repeated(text: bytes) -> Callable[[int], bytes]:
    return lambda size: (text * (size // len(text) + 1))[:size]


MEBI = 1 << 20
CASES: dict[str, tuple[Callable[[int], bytes], int]] = {
    "40 KB of `password`": (repeated(b"password"), 40_000),
    "`password` on one line": (repeated(b"password"), 4 * MEBI),
    "assignments on one line": (repeated(b'password="'), MEBI),
    "one line": (repeated(b'abcdefghij0123456789 = "xyz" ; '), 25 * MEBI),
    "one line of base64": (repeated(b"A"), 8 * MEBI),
    "base64 in base64": (nested, MEBI),
    "colours": (repeated(b"\x1b[1mx\n"), 2 * MEBI),
    "names without values": (repeated(b'{"name": "token", '), MEBI),
    "beginnings of keys": (repeated(b"-----BEGIN RSA PRIVATE KEY-----\n"), MEBI),
    "zeros, zipped": (zeros, 32 * MEBI),
    "a tar archive of tiny files": (members, 16 * MEBI),
    "gzip in gzip": (
        lambda size: gzip.compress(gzip.compress(repeated(b"text\n")(size))),
        8 * MEBI,
    ),
}


def cost(content: bytes, rounds: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case"
        file.write_bytes(content)
        best = float("inf")
        for _ in range(rounds):
            begun = time.process_time()
            scan(file)
            best = min(best, time.process_time() - begun)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    rounds = parser.parse_args().rounds
    base = cost(b"nothing\n", 3)
    print(f"a file of nothing: {base:.3f} s, taken off below")
    print(f"{'case':30} {'MB':>7} {'CPU s':>7} {'MB':>7} {'CPU s':>7} {'ratio':>6}")
    for name, (make, size) in CASES.items():
        small, large = (max(cost(make(n), rounds) - base, 1e-4) for n in (size, 4 * size))
        sizes = size / 1e6, 4 * size / 1e6
        print(
            f"{name:30} {sizes[0]:7.2f} {small:7.3f} {sizes[1]:7.2f} {large:7.3f} "
            f"{large / small:6.1f}"
        )


if __name__ == "__main__":
    main()
