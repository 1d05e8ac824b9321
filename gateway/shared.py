"""Rate limits that several gateways share: the same algorithm, in Redis, by one script.

Requests that come while an answer is awaited go together in the next round trip, so that one is
under way at most, however many ask. Redis's numbers are doubles: time is counted as finely as a
limit allows without rounding, and all that is compared are whole numbers below 2^53.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.limits import Allowance, Claim, Limit
from vocabulary.errors import ConfigError, ServiceError

_log = logging.getLogger(__name__)

TIMEOUT_S = 0.25
_AT_ONCE = 128
_EXACT = 1 << 52
_PREFIX = "keywatch:limit:"

SCRIPT = """
local given, place = tonumber(ARGV[1]), 3
local clock = redis.call('TIME')
local micros = given >= 0 and given or clock[1] * 1000000 + clock[2]
local answers = {}
for _ = 1, tonumber(ARGV[2]) do
  local count = tonumber(ARGV[place])
  place = place + 1
  local writes, refused, tight, wait, latest, slowest = {}, nil, nil, -1, -1, -1
  for claim = 1, count do
    local key, amount = KEYS[tonumber(ARGV[place])], tonumber(ARGV[place + 1])
    local step, depth = tonumber(ARGV[place + 2]), tonumber(ARGV[place + 3])
    local unit = tonumber(ARGV[place + 4])
    place = place + 5
    local now = math.floor(micros * unit / 1000000)
    local ahead, held = 0, redis.call('GET', key)
    if held then
      local at, was = held:match('^(%d+):(%d+)$')
      at, was = tonumber(at), tonumber(was)
      -- A clock that went back gives nothing, and after a second the bucket drains again.
      if at > now and at - now < unit then now = at end
      local passed = now > at and now - at or 0
      if passed * amount < was then ahead = was - passed * amount end
    end
    local room = depth - ahead - step
    if amount == 0 or room < 0 then
      local this = amount == 0 and step / unit or -room / (amount * unit)
      local reset = amount == 0 and this or ahead / (amount * unit)
      if this > wait or (this == wait and reset > latest) then
        wait, latest = this, reset
        refused = {0, claim, 0, string.format('%.0f', ahead), string.format('%.0f', -room)}
      end
    else
      local left = (room - room % step) / step
      local reset = (ahead + step) / (amount * unit)
      if tight == nil or left < tight[3] or (left == tight[3] and reset > slowest) then
        slowest = reset
        tight = {1, claim, left, string.format('%.0f', ahead + step), '0'}
      end
      local life = math.ceil((ahead + step) / amount / unit * 1000) + 2000
      writes[#writes + 1] = {key, string.format('%.0f:%.0f', now, ahead + step), life}
    end
  end
  if not refused then
    for _, write in ipairs(writes) do redis.call('SET', write[1], write[2], 'PX', write[3]) end
  end
  answers[#answers + 1] = refused or tight
end
return answers
"""


class SharedBuckets:
    """The buckets of all gateways on one Redis; lives on one event loop.

    Args:
        url: redis:// or rediss://.
        timeout_s: seconds that Redis may take.

    Raises:
        ConfigError: for another kind of URL.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._redis = _redis(url, timeout_s)
        self._script = self._redis.register_script(SCRIPT)
        self._waiting: list[tuple[Sequence[Claim], asyncio.Future[Allowance]]] = []
        self._flight: asyncio.Task[None] | None = None
        self._away = False

    async def take(self, claims: Sequence[Claim]) -> Allowance:
        """Take one token from each bucket, or none from any; see `Buckets.take`.

        Raises:
            ServiceError: when Redis does not answer: nothing may be said to have been taken.
        """
        future: asyncio.Future[Allowance] = asyncio.get_running_loop().create_future()
        self._waiting.append((claims, future))
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly())
        return await future

    async def close(self) -> None:
        """Give the connection back."""
        await self._redis.aclose()

    async def _fly(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                await self._carry(batch)
        finally:
            self._flight = None

    async def _carry(self, batch: list[tuple[Sequence[Claim], asyncio.Future[Allowance]]]) -> None:
        try:
            answers = await self.decide([claims for claims, _ in batch])
        except Exception as error:  # noqa: BLE001  (whatever it was: nobody may wait for ever)
            self._lost(error)
            failure = ServiceError("the shared limits cannot be read", where="gateway.redis")
            for _, future in batch:
                if not future.done():
                    future.set_exception(failure)
            return
        if self._away:
            _log.warning("Redis is back: limits are shared again")
            self._away = False
        for (_, future), allowance in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(allowance)

    async def decide(
        self, requests: Sequence[Sequence[Claim]], now_us: int = -1
    ) -> list[Allowance]:
        """Decide on requests one after the other, in one round trip.

        Args:
            requests: the claims of each.
            now_us: microseconds; less than 0 for Redis's own clock.
        """
        places: dict[str, int] = {}
        numbers: list[int] = [now_us, len(requests)]
        for claims in requests:
            numbers.append(len(claims))
            for limit, subject in claims:
                name, amount, step, depth, unit = _numbers(limit)
                place = places.setdefault(f"{name}{subject}", len(places) + 1)
                numbers += (place, amount, step, depth, unit)
        answers = await self._script(list(places), numbers)
        return [
            _allowance(answer, claims) for answer, claims in zip(answers, requests, strict=True)
        ]

    def _lost(self, error: Exception) -> None:
        if not self._away:
            _log.error("Redis cannot be reached for limits: %s", type(error).__name__)
            self._away = True


def _redis(url: str, timeout_s: float) -> "Redis":
    try:
        return Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # A client in a hurry is told at once; the next request tries again.
            retry=Retry(NoBackoff(), 0),
            single_connection_client=False,
            max_connections=2,
        )
    except ValueError:
        raise ConfigError(
            "this is no Redis", where="gateway.redis", remedy="write it like redis://127.0.0.1:6379"
        ) from None


@lru_cache(maxsize=4096)
def _numbers(limit: Limit) -> tuple[str, int, int, int, int]:
    """Return the limit's name, amount, cost of a token, depth of the bucket and units a second.

    Raises:
        ConfigError: when the limit is too large to be counted without rounding.
    """
    name = f"{_PREFIX}{limit.level}:{limit.name}:{limit.amount}/{limit.window_s}:{limit.depth}:"
    for unit in (1_000_000, 1000, 1):
        step = limit.window_s * unit
        # The clock itself, too, must be a whole number.
        if (limit.depth + 1) * step < _EXACT:
            return name, limit.amount, step, limit.depth * step, unit
    raise ConfigError(
        "the limit is too large to be shared", where=limit.name, remedy="take a smaller burst"
    )


def _allowance(answer: Sequence[Any], claims: Sequence[Claim]) -> Allowance:
    allowed, claim, remaining, ahead, lacking = map(int, answer)
    limit = claims[claim - 1][0]
    _, amount, _, _, unit = _numbers(limit)
    if not amount:
        return Allowance(False, limit, 0, float(limit.window_s), float(limit.window_s))
    rate = amount * unit
    return Allowance(bool(allowed), limit, remaining, ahead / rate, lacking / rate)
