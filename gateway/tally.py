"""What became of requests, and how quickly a change of a key was heeded, as Prometheus reads it."""

from collections import Counter

from gateway.asked import Verdict

LOCKOUT_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper ends of the buckets in which the time from a revocation to its first refusal is counted."""


class Tally:
    """Counts; one thread, but for `lockout`, which may come from another."""

    def __init__(self) -> None:
        self.allowed = 0
        """Requests that were let through."""
        self._refused: Counter[str] = Counter()
        self._query_keys = 0
        self._lockouts = [0] * (len(LOCKOUT_S) + 1)
        self._lockout_s = 0.0

    def add(self, verdict: Verdict) -> None:
        """Count a request."""
        refusal = verdict.refusal
        if refusal is None:
            self.allowed += 1
        else:
            self._refused[refusal.code] += 1
        if verdict.extracted.from_query:
            self._query_keys += 1

    def lockout(self, seconds: float) -> None:
        """Note how long it took from a change in the store to the first refusal."""
        place = sum(seconds > end for end in LOCKOUT_S)
        self._lockouts[place] += 1
        self._lockout_s += seconds

    def text(self, *, is_current: bool, cached_keys: int) -> str:
        """Return all in Prometheus' text format 0.0.4.

        Args:
            is_current: whether the key store was heard of lately.
            cached_keys: number of keys in memory.
        """
        name = "keywatch_gateway_requests_total"
        lines = [f"# HELP {name} Requests by what became of them.", f"# TYPE {name} counter"]
        outcomes = {**self._refused, **({"allowed": self.allowed} if self.allowed else {})}
        lines += [f'{name}{{outcome="{one}"}} {n}' for one, n in sorted(outcomes.items())]
        lines += _metric(
            "query_keys_total", "Keys that came in a query.", self._query_keys, "counter"
        )
        lines += _metric("current", "Whether the key store was heard of lately.", int(is_current))
        lines += _metric("cached_keys", "Keys in memory.", cached_keys)
        return "\n".join([*lines, *self._histogram()]) + "\n"

    def _histogram(self) -> list[str]:
        name = "keywatch_gateway_lockout_seconds"
        lines = [
            f"# HELP {name} From the suspension of the canary key to its first refusal.",
            f"# TYPE {name} histogram",
        ]
        total = 0
        for end, count in zip((*LOCKOUT_S, "+Inf"), self._lockouts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{end}"}} {total}')
        return [*lines, f"{name}_sum {self._lockout_s:.6f}", f"{name}_count {total}"]


def _metric(name: str, about: str, value: int, kind: str = "gauge") -> list[str]:
    full = f"keywatch_gateway_{name}"
    return [f"# HELP {full} {about}", f"# TYPE {full} {kind}", f"{full} {value}"]
