"""Inputs made to be slow, at two sizes: four times the bytes must not cost much more than four.

    python bench/scan/worst.py [--rounds N] [--full] [--members N] [--only WORDS]

CPU seconds of a scan, compiled rules loaded before, and the peak of memory, each in a process of
its own. A ratio near 4 is linear; one near 16 would be quadratic. With --full the large sizes are
those that people fear: a line of 100 MB, 1 GB of zeros in a zip, a million files in a tar; with
--members 10000000 ten million of them, for which there must be room for 10 GB.
"""

import argparse
import base64
import gzip
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

Make = Callable[[IO[bytes], int], None]
MEBI = 1 << 20


def nested(out: IO[bytes], size: int) -> None:
    text = b"token = secret\n"
    while len(text) < size:
        text = base64.b64encode(text)
    out.write(text[:size])


def members(out: IO[bytes], size: int) -> None:
    entry, text = tarfile.TarInfo("d/00000000"), b"text\n".ljust(512, b"\0")
    entry.size = 5
    thousand = (entry.tobuf(tarfile.USTAR_FORMAT) + text) * 1000
    for _ in range(size // len(thousand)):
        out.write(thousand)
    out.write(bytes(1024))


def zeros(out: IO[bytes], size: int) -> None:
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w", force_zip64=True) as member,
    ):
        for _ in range(size // MEBI):
            member.write(bytes(MEBI))


def twice(out: IO[bytes], size: int) -> None:
    out.write(gzip.compress(gzip.compress((b"text\n" * (size // 5 + 1))[:size])))


def containers(out: IO[bytes], size: int) -> None:
    """Write key containers whose passwords take long to try."""

    def element(tag: int, content: bytes) -> bytes:
        return bytes([tag, 0x82]) + len(content).to_bytes(2) + content

    held = bytes.fromhex("060b2a864886f70d010c0a0102") + bytes(800)
    safe = bytes.fromhex("06092a864886f70d010701") + element(0xA0, element(4, held))
    told = element(0x30, bytes.fromhex("0609608648016503040201")) + element(4, bytes(32))
    mac = element(0x30, told) + element(4, bytes(8)) + bytes.fromhex("02022800")
    whole = b"\x02\x01\x03" + element(0x30, safe) + element(0x30, mac)
    repeated(element(0x30, whole))(out, size)


def repeated(text: bytes) -> Make:
    def make(out: IO[bytes], size: int) -> None:
        part = text * (MEBI // len(text))
        while size > 0:
            size -= out.write(part[:size])

    return make


TAR, MEMBER = "a tar archive of tiny files", 1024
CASES: dict[str, tuple[Make, int, int]] = {
    "40 KB of `password`": (repeated(b"password"), 40_000, 160_000),
    "`password` on one line": (repeated(b"password"), 4 * MEBI, 100 * MEBI),
    "assignments on one line": (repeated(b'password="'), MEBI, 25 * MEBI),
    "one line": (repeated(b'abcdefghij0123456789 = "xyz" ; '), 25 * MEBI, 100 * MEBI),
    "one line of base64": (repeated(b"A"), 8 * MEBI, 100 * MEBI),
    "base64 in base64": (nested, MEBI, 25 * MEBI),
    "colours": (repeated(b"\x1b[1mx\n"), 2 * MEBI, 25 * MEBI),
    "names without values": (repeated(b'{"name": "token", '), MEBI, 25 * MEBI),
    "beginnings of keys": (repeated(b"-----BEGIN RSA PRIVATE KEY-----\n"), MEBI, 25 * MEBI),
    "INSERTs without columns": (repeated(b"INTO a VALUES (1,'x');\n"), MEBI, 25 * MEBI),
    "tables and INSERTs": (
        repeated(b"CREATE TABLE a (i int, password int);INTO a VALUES (1,'x');\n"),
        MEBI,
        25 * MEBI,
    ),
    "an array of numbers": (repeated(b"101, 102, "), MEBI, 25 * MEBI),
    "lines of a dump": (repeated(b"00000000: 6161 6161 6161 6161  aaaaaaaa\n"), MEBI, 25 * MEBI),
    "key containers": (containers, MEBI, 25 * MEBI),
    "zeros, zipped": (zeros, 32 * MEBI, 1024 * MEBI),
    TAR: (members, 16 * MEMBER * 1000, 1000 * MEMBER * 1000),
    "gzip in gzip": (twice, 8 * MEBI, 100 * MEBI),
}
"""What makes the input, its small size, and its large one with --full."""


def scanned(file: str) -> None:
    """Scan a file in this process, and say what that cost."""
    from scanner import scan  # noqa: PLC0415  (not in the process that only makes the inputs)

    begun = time.process_time()
    scan(file)
    spent = time.process_time() - begun
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"{spent} {peak / 1024}")


def cost(make: Make, size: int, rounds: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case"
        with file.open("wb") as out:
            make(out, size)
        told = [
            subprocess.run(
                [sys.executable, __file__, "--one", str(file)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            for _ in range(rounds)
        ]
    return min(float(spent) for spent, _ in told), max(float(peak) for _, peak in told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="large sizes; some minutes")
    parser.add_argument("--members", type=int, help="of the tar archive's large size")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        scanned(options.one)
        return
    base, _ = cost(repeated(b"nothing\n"), 8, 3)
    print(f"a file of nothing: {base:.3f} s, taken off below")
    print(
        f"{'case':30} {'MB':>7} {'CPU s':>7} {'MB':>7} {'CPU s':>7} {'times':>6} {'ratio':>6} {'peak MB':>8}"
    )
    for name, (make, size, full) in CASES.items():
        if options.only not in name:
            continue
        sizes = (size, full if options.full else 4 * size)
        if name == TAR and options.members:
            sizes = (options.members // 4 * MEMBER, options.members * MEMBER)
        (small, _), (large, peak) = (cost(make, n, options.rounds) for n in sizes)
        small, large = max(small - base, 1e-4), max(large - base, 1e-4)
        print(
            f"{name:30} {sizes[0] / 1e6:7.2f} {small:7.3f} {sizes[1] / 1e6:7.1f} {large:7.3f} "
            f"{sizes[1] / sizes[0]:6.1f} {large / small:6.1f} {peak:8.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
