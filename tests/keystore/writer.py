"""A process of its own that creates and throttles keys: `writer.py URL TIMES [REDIS]`.

It says that it is ready, and begins when its input ends.
"""

import sys
from contextlib import nullcontext

from database.transaction import open_database
from keystore.bells import ringing_redis
from keystore.issue import KeyOrder
from keystore.store import KeyStore

url, times, *redis = sys.argv[1:]
store = KeyStore(open_database(url))
sys.stdout.write("ready\n")
sys.stdout.flush()
sys.stdin.read()
with ringing_redis(store.engine, redis[0]) if redis else nullcontext():
    for _ in range(int(times)):
        key = store.create(KeyOrder(), actor="writer", reason="a test").key
        store.throttle(key.id, per_min=5, actor="writer", reason="a test")
store.engine.dispose()
