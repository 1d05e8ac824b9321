"""Ordinary weeks of two keys, written as an access log, and what is done to them later."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

WEEKS = 5
SERVICE_HOSTS = ("91.10.24.11", "91.10.24.12", "91.10.24.13")
PERSON_HOST = "87.140.33.21"
THIEF_HOST = "45.55.100.7"
SERVICE_AGENT = "orders-sync/2.1"
PERSON_AGENT = "python-requests/2.32.3"
THIEF_AGENT = "Go-http-client/2.0"
PATHS = ("/v1/orders", "/v1/orders/recent", "/v1/customers", "/v1/stock")


class Line(msgspec.Struct, frozen=True):
    """A line of the nginx-json format."""

    time_iso8601: str
    remote_addr: str
    request: str
    status: int
    body_bytes_sent: int
    http_user_agent: str
    request_id: str
    api_key_id: str


def ordinary(service: str, person: str, now: datetime, seed: int = 7) -> Iterator[bytes]:
    """Yield the log lines of both keys until `now`, in time order.

    The service calls all day, a little more by day. The person works eight hours on weekdays;
    the working day is laid so that `now` falls into the person's night.

    Args:
        service: key id of the service.
        person: key id of the person.
        now: aware time at which the log ends.
        seed: of the randomness.
    """
    chance = random.Random(seed)  # noqa: S311  (traffic, no cryptography)
    hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(weeks=WEEKS)
    serial = 0
    while hour < now:
        for at, key in sorted(_hour(hour, now, service, person, chance)):
            if at < now:
                serial += 1
                host = chance.choice(SERVICE_HOSTS) if key == service else PERSON_HOST
                agent = SERVICE_AGENT if key == service else PERSON_AGENT
                yield _line(at, key, (host, agent), serial, chance)
        hour += timedelta(hours=1)


def _hour(
    hour: datetime, now: datetime, service: str, person: str, chance: random.Random
) -> Iterator[tuple[datetime, str]]:
    busy = 45 if 7 <= hour.hour < 20 else 30  # noqa: PLR2004  (requests an hour, by day)
    for _ in range(max(1, round(chance.gauss(busy, busy**0.5)))):
        yield hour + timedelta(seconds=chance.uniform(0, 3600)), service
    to_night = (hour.hour - now.hour) % 24
    at_work = 8 <= to_night < 16 and (hour - timedelta(hours=8)).weekday() < 5  # noqa: PLR2004
    if at_work and chance.random() < 0.8:  # noqa: PLR2004
        for _ in range(chance.randint(2, 9)):
            yield hour + timedelta(seconds=chance.uniform(0, 3600)), person


def _line(
    at: datetime, key: str, who: tuple[str, str], serial: int, chance: random.Random
) -> bytes:
    host, agent = who
    return msgspec.json.encode(
        Line(
            at.astimezone(UTC).isoformat(timespec="milliseconds"),
            host,
            f"GET {chance.choice(PATHS)} HTTP/1.1",
            200,
            chance.randint(200, 9000),
            agent,
            f"{serial:032x}",
            key,
        )
    )
