from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary.errors import UsageError
from vocabulary.moments import LATEST, minute, moment_of, rfc3339, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("15m", 900),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("1.5h", 5400),
        (" 3 D ", 259_200),
        ("0s", 0),
    ],
)
def test_durations(text, seconds):
    assert seconds_of(text) == seconds
    assert moment_of(text, 100.0) == 100 + seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1y", "1h30m", "1e9s", "٣d"])
def test_what_is_no_duration(text):
    with pytest.raises(UsageError):
        seconds_of(text)


@pytest.mark.parametrize(
    "text",
    ["tomorrow", "", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01T00:00:00Z", "999999999w"],
)
def test_what_is_no_time(text):
    with pytest.raises(UsageError):
        moment_of(text, 0.0)


def test_times_with_an_offset():
    assert moment_of("2026-03-01T12:00:00Z", 0.0) == moment_of("2026-03-01T13:00:00+01:00", 0.0)


@given(st.integers(0, int(LATEST) * 1000))
def test_times_read_back_to_the_millisecond(ms):
    assert round(moment_of(rfc3339(ms / 1000), 0.0) * 1000) == ms


@given(st.text())
def test_any_text_is_a_time_or_refused(text):
    with suppress(UsageError):
        assert 0 <= moment_of(text, 0.0) <= LATEST


def test_a_narrow_table_shows_times_to_the_minute():
    assert minute(1_772_366_399.9) == "2026-03-01T11:59Z"
