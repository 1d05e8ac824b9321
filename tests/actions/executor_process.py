"""A nest of executors to be killed: forks one for each line that it reads, and says its number.

Arguments: database URL, webhook URL, signing secret. A line holds the seconds by which the
executor's clock is ahead, so that the leases of the one that was killed have run out.
"""

import os
import sys
import time

from actions.executor import Executor
from actions.notify import notifiers
from database.transaction import open_database
from vocabulary.errors import DatabaseError


def work(database: str, url: str, secret: str, ahead_s: float) -> None:
    engine = open_database(database)
    told = notifiers([{"name": "all", "type": "webhook", "url": url, "secret": secret}])
    executor = Executor(engine, notifiers=told, clock=lambda: time.time() + ahead_s)
    while True:
        try:
            if not executor.run_once():
                time.sleep(0.001)
        except DatabaseError:
            continue


def main() -> None:
    database, url, secret = sys.argv[1:]
    for line in sys.stdin:
        child = os.fork()
        if not child:
            work(database, url, secret, float(line))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
