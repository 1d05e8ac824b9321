"""How long it takes to take over a million keys by their hashes, process start included.

    python bench/keystore/imports.py [--keys N] [--database URL]

Prints rows, wall and CPU seconds, rows a CPU second and peak memory; then the size of the file.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path


def write(file: Path, keys: int) -> None:
    """Write a CSV of `keys` keys of a thousand accounts."""
    with file.open("w") as out:
        out.write("hash,owner,account,scopes,created_at\n")
        for number in range(keys):
            digest = sha256(b"imported %d" % number).hexdigest()
            account = number % 1000
            out.write(
                f"{digest},owner{account}@example.com,account{account},read write,1700000000\n"
            )


def main() -> None:
    """Import once and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--database", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "keys.csv"
        write(file, arguments.keys)
        database = arguments.database or f"sqlite:///{folder}/keywatch.db"
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "keywatch", "keys", "import", str(file)],
            env={**os.environ, "KEYWATCH_DATABASE": database},
            check=True,
            stderr=subprocess.DEVNULL,
        )
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(
            f"{arguments.keys:,} keys: {wall:.0f} s wall, {cpu:.0f} s CPU,"
            f" {arguments.keys / cpu:,.0f} keys/CPU second, {after.ru_maxrss / 1024:.0f} MB peak"
        )
        if not arguments.database:
            print(f"{(Path(folder) / 'keywatch.db').stat().st_size / 1e6:,.0f} MB of database")


if __name__ == "__main__":
    main()
