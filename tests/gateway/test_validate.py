"""What the gateway holds of keys, by what the key store's reader delivers and in which order."""

import asyncio
import time
from hashlib import sha256

import pytest
from sqlalchemy import make_url

from gateway import validate
from gateway.follower import Answer
from gateway.ledger import Ledger
from gateway.options import Options
from gateway.reader import News
from gateway.standing import UNAVAILABLE, UNKNOWN
from gateway.validate import Validator

SECRET = b"nobody-has-this"
DIGEST = sha256(SECRET).digest()


class Delivered:
    """In a reader's place: what is asked is kept, and news come when the test says so."""

    def __init__(self):
        self.asked = []
        self.quiet_s = 0.1
        self.start = lambda deliver: setattr(self, "deliver", deliver)
        self.ask = self.asked.append

    async def tell(self, **news):
        self.deliver(News(heard_ns=time.monotonic_ns(), **news))
        await asyncio.sleep(0)


def conversation(talk):
    async def go():
        reader = Delivered()
        ledger = Ledger(make_url("sqlite://"), time.time, 60.0)
        validator = Validator(reader, ledger, Options(), time.time, time.monotonic_ns)
        validator.start()
        await reader.tell(everything=True)
        await talk(validator, reader)

    asyncio.run(go())


async def begun(validator, *secrets):
    """Begin to look them up, as requests that come at once do."""
    looking = [asyncio.create_task(validator.look_up(secret)) for secret in secrets]
    await asyncio.sleep(0)
    return looking


@pytest.mark.parametrize(
    ("news", "standing", "held"),
    [
        ({"answers": (Answer(DIGEST, None),)}, UNKNOWN, UNKNOWN),
        ({"unanswered": (DIGEST,)}, UNAVAILABLE, None),
        ({"unanswered": (DIGEST,), "away": True}, UNAVAILABLE, None),
    ],
)
def test_all_who_ask_for_one_key_share_an_answer_and_only_a_true_one_is_held(news, standing, held):
    async def talk(validator, reader):
        looking = await begun(validator, SECRET, SECRET)
        await reader.tell(**news)
        assert await asyncio.gather(*looking) == [standing] * 2
        assert len(reader.asked) == 1
        assert validator.cached(SECRET, time.time(), time.monotonic_ns()) == held

    conversation(talk)


def test_who_was_unknown_is_asked_for_again_when_keys_were_added():
    async def talk(validator, reader):
        await reader.tell(answers=(Answer(DIGEST, None),))  # late: nobody waits for it any more
        assert validator.cached(SECRET, time.time(), time.monotonic_ns()) == UNKNOWN
        await reader.tell(new_keys=True)
        assert validator.cached(SECRET, time.time(), time.monotonic_ns()) is None

    conversation(talk)


def test_beyond_so_many_look_ups_at_once_nobody_waits(monkeypatch):
    monkeypatch.setattr(validate, "_MAX_FLIGHTS", 2)

    async def talk(validator, reader):
        first, second, third = await begun(validator, b"a", b"b", b"c")
        assert await third == UNAVAILABLE
        assert len(reader.asked) == 2
        await reader.tell(unanswered=tuple(sha256(one).digest() for one in (b"a", b"b")))
        await asyncio.gather(first, second)

    conversation(talk)
