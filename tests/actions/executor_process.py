"""A nest of executors to be killed: forks one for each line that it reads, and says its number.

Arguments: database URL, webhook URL, signing secret, and where a store is to follow its URL. A line
holds the seconds by which the executor's clock is ahead, so that the leases of the one that was
killed have run out.
"""

import os
import sys
import time

from sqlalchemy import Engine

import database.engine
from actions.executor import Executor
from actions.notify import notifiers
from database.transaction import open_database
from keystore import adapters
from keystore.carrier import Carrier
from vocabulary.errors import DatabaseError

BUSY_TIMEOUT_S = 0.05
"""So soon a locked database is given up for now, or no test would see it."""


def opened(url: str) -> Engine:
    nest = os.getppid()
    while os.getppid() == nest:  # nobody waits for it otherwise
        try:
            return open_database(url)
        except DatabaseError:
            time.sleep(0.01)
    os._exit(1)


def work(ahead_s: float, url: str, hook: str, secret: str, store: str = "") -> None:
    engine = opened(url)
    told = notifiers([{"name": "all", "type": "webhook", "url": hook, "secret": secret}])
    executor = Executor(engine, notifiers=told, clock=lambda: time.time() + ahead_s)
    carrier = None
    if store:
        options = {"name": "theirs", "type": "http", "url": store, "secret": secret}
        carrier = Carrier(engine, "theirs", adapters.make(options))
    nest = os.getppid()
    while os.getppid() == nest:
        try:
            if carrier:
                carrier.turn(time.time() + ahead_s)
            if not executor.run_once():
                time.sleep(0.001)
        except DatabaseError:
            time.sleep(0.001)
    os._exit(0)


def main() -> None:
    database.engine.BUSY_TIMEOUT_S = BUSY_TIMEOUT_S
    opened(sys.argv[1]).dispose()  # what this imports, no child has to
    for line in sys.stdin:
        child = os.fork()
        if not child:
            work(float(line), *sys.argv[1:])
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
