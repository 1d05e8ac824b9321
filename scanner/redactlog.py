"""Secrets out of a program's own log: a filter for Python's `logging`."""

import logging
from typing import Any

from scanner.engine import Engine, OwnSearcher
from scanner.passing import redacted_text
from scanner.redact import formats_engine

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_BROKEN = "[REDACTED: the message could not be searched for secrets]"


class RedactingFilter(logging.Filter):
    """Replaces secrets in messages, tracebacks and extra fields, such as `sk_live_[REDACTED]`.

    Put it on handlers (`handler.addFilter(RedactingFilter())`): a logger's filters do not see
    what loggers below it log. A message that cannot be searched is not let through as it is.

    Args:
        engine: of other rules than all of known formats.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        super().__init__()
        self._own = OwnSearcher(engine or formats_engine())

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record; it always goes on."""
        try:
            self._redact(record)
        except Exception:  # noqa: BLE001  (whatever went wrong, a log never stops its program)
            record.msg, record.args, record.exc_info = _BROKEN, None, None
            record.exc_text = record.stack_info = None
            for name in set(record.__dict__) - _STANDARD:
                setattr(record, name, _BROKEN)
        return True

    def _redact(self, record: logging.LogRecord) -> None:
        record.msg, record.args = self._clean(record.getMessage()), None
        if record.exc_info:
            # A formatter takes the text where there is one, and does not write it anew.
            text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_text = self._clean(text)
            if record.exc_text != text:
                record.exc_info = None  # some formatters write it anew; the text is there
        if record.stack_info:
            record.stack_info = self._clean(record.stack_info)
        for name in set(record.__dict__) - _STANDARD:
            setattr(record, name, self._value(getattr(record, name)))

    def _value(self, value: Any) -> Any:  # noqa: ANN401  (whatever a program logs)
        if value is None or isinstance(value, bool | int | float):
            return value
        text = value if isinstance(value, str) else repr(value)
        clean = self._clean(text)
        return value if clean == text else clean

    def _clean(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        clean = redacted_text(self._own.searcher, raw)
        return text if clean is raw else clean.decode("utf-8", "replace")
