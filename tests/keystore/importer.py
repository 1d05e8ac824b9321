"""A process of its own that imports keys in small pieces: `importer.py URL ROWS`.

Before each is committed it says how far it has come, and goes on with the next line it is given, or
when there is nobody to give any.
"""

import sys
import time
from hashlib import sha256

from database.transaction import open_database
from keystore.bulk import Import
from keystore.scheme import KeyScheme

url, rows = sys.argv[1], int(sys.argv[2])


def report(progress, _refused):
    """Wait for leave to commit."""
    sys.stdout.write(f"{progress.position}\n")
    sys.stdout.flush()
    sys.stdin.readline()


engine = open_database(url)
taken = Import(engine, "all", "s", scheme=KeyScheme(), peppers=(), actor="ann", clock=time.time)
hashes = ({"hash": sha256(b"%d" % number).hexdigest()} for number in range(rows))
taken.run(hashes, report, piece=10)
engine.dispose()
