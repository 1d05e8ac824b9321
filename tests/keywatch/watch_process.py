"""A nest of watches to be killed: forks one for each line that it reads.

A line holds the arguments of keywatch as JSON. Told back are the number of the child and, once it
has ended, its exit code. What every watch imports is imported here, once.
"""

import json
import os
import signal
import sys

from actions import background, executor, notify  # noqa: F401
from keywatch import watch  # noqa: F401
from keywatch.cli import run
from keywatch.cli import watch as command  # noqa: F401
from scanner import redact  # noqa: F401
from streams.sources import file, http, kafka  # noqa: F401


def work(words: list[str]) -> int:
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    code = run(words)
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os._exit(work(json.loads(line)))
        tell(child)
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        tell(ended.si_status if ended else 0)
        os.waitpid(child, 0)


def tell(number: int) -> None:
    os.write(sys.stdout.fileno(), b"%d\n" % number)


if __name__ == "__main__":
    main()
