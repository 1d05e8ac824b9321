"""One line of JSON a message, on stderr."""

import json
import sys
from collections.abc import Mapping
from typing import Any


def make(options: Mapping[str, Any]) -> "Log":
    """Return the notifier; it needs no options."""
    del options
    return Log()


class Log:
    """Writes to stderr, where services log."""

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Write the message as one line of ASCII: nothing in it can move a terminal's cursor."""
        del now
        line = json.dumps({"id": idempotency_key, **message}, ensure_ascii=True, sort_keys=False)
        sys.stderr.write(line.replace("\x7f", "\\u007f") + "\n")
        sys.stderr.flush()
