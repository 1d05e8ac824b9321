"""Columns read at once are what their words are when read one by one."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import plain
from streams.readers import CLF_TIME, KEY, RFC3339_TIME, SIZE, STATUS

MOMENT = st.datetimes(
    timezones=st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
        lambda minutes: timezone(timedelta(minutes=minutes))
    )
)
SECONDS = MOMENT.map(lambda moment: moment.isoformat(timespec="seconds"))
FINE = MOMENT.map(lambda moment: moment.isoformat(timespec="milliseconds"))
ZULU = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='microseconds')}Z")
CLF = MOMENT.map(lambda moment: moment.strftime("%d/%b/%Y:%H:%M:%S %z"))
NUMBER = st.one_of(st.integers(-2, 1200), st.integers(0, 2**70))
DIGITS = st.text("0123456789", max_size=22)
COLUMNS = st.one_of(
    *(st.lists(kind, max_size=6) for kind in (SECONDS, FINE, ZULU, CLF, NUMBER, DIGITS)),
    st.lists(st.text("abc-\n é\0", max_size=8), max_size=6),
)
CHARACTER = st.sampled_from("0123456789+-:TZ./ Jé\n")


def agrees(reader, words):
    """Compare where the column can be read at once; elsewhere it is read word by word."""
    found = reader.column(words)
    assert found is None or found == [reader.read(word) for word in words]
    return found is not None


@given(COLUMNS)
@pytest.mark.parametrize("reader", [RFC3339_TIME, CLF_TIME], ids=["rfc3339", "clf"])
def test_times_are_the_same_in_a_column(reader, words):
    agrees(reader, [word for word in words if isinstance(word, str)])


@given(COLUMNS)
@pytest.mark.parametrize("reader", [STATUS, SIZE], ids=["status", "size"])
def test_numbers_are_the_same_in_a_column(reader, words):
    agrees(reader, words)


@given(st.lists(st.text("abc-\n é\0", max_size=300), max_size=6))
def test_keys_are_the_same_in_a_column(words):
    agrees(KEY, words)


@given(st.data())
@pytest.mark.parametrize(
    ("reader", "plain_one"),
    [(RFC3339_TIME, "2024-02-29T23:59:59.123+01:30"), (CLF_TIME, "29/Feb/2024:23:59:59 +0130")],
)
def test_a_time_with_a_wrong_character_is_the_same_in_a_column(reader, plain_one, data):
    at = data.draw(st.integers(0, len(plain_one) - 1))
    wrong = plain_one[:at] + data.draw(CHARACTER) + plain_one[at + 1 :]
    agrees(reader, [plain_one, wrong])


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (RFC3339_TIME, ["2026-03-02T00:00:00+01:00", "1970-01-01T05:30:00+05:30"]),
        (RFC3339_TIME, ["2026-03-02T00:00:00.123Z", "2024-02-29T00:00:00.999Z"]),
        (CLF_TIME, ["17/May/2015:10:05:03 +0000", "29/feb/2024:23:59:59 -1130"]),
        (STATUS, [200, 404]),
        (SIZE, ["0", "123456789012"]),
        (KEY, ["key_a", "-", "é"]),
    ],
)
def test_what_logs_hold_is_read_at_once(reader, words):
    assert agrees(reader, words)


def test_a_leap_second_or_a_date_that_is_none_has_to_be_read_alone():
    assert plain.rfc3339(["2016-12-31T23:59:60Z"]) is None
    assert plain.rfc3339(["2023-02-29T00:00:00Z"]) is None
    assert plain.clf(["17/Mai/2015:10:05:03 +0000"]) is None
