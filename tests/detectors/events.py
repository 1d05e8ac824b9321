"""Made-up traffic for the tests of the detectors."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from vocabulary.access import EventBatch

START_MS = 1_788_739_200_000  # 2026-09-07T00:00:00Z, a Monday
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
AGENTS = ("acme-cli/2.3.1", "curl/8.4.0", "python-requests/2.31.0", "", "Go-http-client/1.1")
PATHS = ("/v1/me", "/v1/orders", "/v1/keys", *(f"/v1/orders/{i}" for i in range(1, 40)))
PRINTS = ("", "t13d0712h2_a", "t13d0911h1_b", "t12d0505h1_c")
ADDRESSES = (
    "8.8.8.8", "1.1.1.1", "9.9.9.9", "185.228.168.9", "10.0.0.7", "2001:4860:4860::8888",
    "fe80::1%eth0", "not an address", "", "193.0.6.139", "203.0.113.7",
)  # fmt: skip


def batch(  # noqa: PLR0913  (columns)
    keys: Sequence[str],
    ts_ms: Sequence[int],
    *,
    ips: Sequence[str] | None = None,
    paths: Sequence[str] | None = None,
    agents: Sequence[str] | None = None,
    status: Sequence[int] | None = None,
    prints: Sequence[str] | None = None,
    tokens: Sequence[int] | None = None,
) -> EventBatch:
    """Make a batch of events in order of arrival; what is left out is the same for all."""
    n = len(keys)
    names, key = _coded(keys)
    order = np.argsort(key, kind="stable")
    address, ip = _coded(ips or ["8.8.8.8"] * n)
    route, path = _coded(paths or ["/v1/orders"] * n)
    client, agent = _coded(agents or ["acme-cli/2.3.1"] * n)
    code = np.array(status or [200] * n, np.int32)
    hello, tls = _coded(prints or [""] * n)
    accepted = (code != 401) & np.array([bool(name) for name in keys], bool)
    zeros = np.zeros(n, np.int32)
    return EventBatch(
        names, key[order], np.arange(n)[order], np.array(ts_ms, np.int64)[order], address,
        ip[order], ["GET"], zeros, route, path[order], client, agent[order], code[order],
        zeros.astype(np.int64), accepted[order], hello, tls[order] if prints else None,
        np.array(tokens, np.int64)[order] if tokens else None,
    )  # fmt: skip


def joined(parts: Sequence[EventBatch]) -> list[dict[str, object]]:
    """Return the events of batches, one by one, in order of arrival."""
    return [
        {
            "keys": one.keys[one.key[i]],
            "ts_ms": int(one.ts_ms[i]),
            "ips": one.ips[one.ip[i]],
            "paths": one.paths[one.path[i]],
            "agents": one.agents[one.agent[i]],
            "status": int(one.status[i]),
            "prints": "" if one.tls is None else one.prints[one.tls[i]],
            "tokens": 0 if one.tokens is None else int(one.tokens[i]),
        }
        for one in parts
        for i in np.argsort(one.arrival, kind="stable").tolist()
    ]


def cut(events: Sequence[dict[str, object]], edges: Sequence[int]) -> list[EventBatch]:
    """Divide events into batches at the edges."""
    bounds = [0, *sorted(edges), len(events)]
    parts = [events[a:b] for a, b in pairwise(bounds) if b > a]
    return [batch(**{name: [e[name] for e in part] for name in part[0]}) for part in parts]


def life(seed: int, n: int = 400, keys: int = 3, days: float = 30.0) -> list[dict[str, object]]:
    """Make the life of some keys: sessions, bursts, gaps, disorder, errors, odd addresses."""
    rng = np.random.default_rng(seed)
    starts = START_MS + (rng.random(n // 8 + 1) * days * DAY_MS).astype(np.int64)
    ts = np.repeat(starts, 8)[:n] + rng.exponential(rng.choice([500, 60_000]), n).astype(np.int64)
    owner = np.repeat(rng.integers(0, keys, len(starts)), 8)[:n]
    order = np.argsort(ts, kind="stable")
    late = rng.random(n) < 0.05
    ts = np.where(late, ts - rng.integers(0, 3 * HOUR_MS, n), ts)[order]
    home = rng.integers(0, len(ADDRESSES), keys)
    address = np.where(rng.random(n) < 0.8, home[owner], rng.integers(0, len(ADDRESSES), n))
    path, agent = rng.integers(0, len(PATHS), n), rng.choice(len(AGENTS), n, p=[0.8, *[0.05] * 4])
    status = rng.choice([200, 200, 200, 403, 404, 500, 401], n)
    # Every third key is used through a server that logs no fingerprints.
    hello = np.where(rng.random(n) < 0.9, owner[order] % 4, rng.integers(0, 4, n))
    hello = np.where(owner[order] % 3 == 0, 0, hello)
    # The second key asks an AI service now and then.
    spent = np.where((owner[order] == 1) & (path > 2), rng.lognormal(7.0, 2.0, n), 0.0)
    return [
        {
            "keys": f"key_{owner[order][i]}",
            "ts_ms": int(ts[i]),
            "ips": ADDRESSES[address[order][i]],
            "paths": PATHS[path[i]],
            "agents": AGENTS[agent[i]],
            "status": int(status[i]),
            "prints": PRINTS[hello[i]],
            "tokens": int(spent[i]),
        }
        for i in range(n)
    ]


def shifted(one: EventBatch, ms: int) -> EventBatch:
    """Move a batch in time."""
    return replace(one, ts_ms=one.ts_ms + ms)


def _coded(values: Sequence[str]) -> tuple[list[str], np.ndarray]:
    codes: dict[str, int] = {}
    column = np.array([codes.setdefault(value, len(codes)) for value in values], np.int32)
    return list(codes), column
