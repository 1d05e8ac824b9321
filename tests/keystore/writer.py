"""A process of its own that creates and throttles keys: `writer.py URL TIMES`."""

import sys

from database.transaction import open_database
from keystore.issue import KeyOrder
from keystore.store import KeyStore

store = KeyStore(open_database(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    key = store.create(KeyOrder(), actor="writer", reason="a test").key
    store.throttle(key.id, per_min=5, actor="writer", reason="a test")
