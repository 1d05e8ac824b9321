"""Runs one command of keywatch after the other: a Java that has begun serves them all.

Each argument holds those of a command, as JSON.
"""

import json
import sys

from keywatch.cli import run


def main() -> int:
    for words in sys.argv[1:]:
        if code := run(json.loads(words)):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
