from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import timestamps
from streams.timestamps import clf_ms, epoch_ms, epoch_s_ms, rfc3339_ms

MOMENT = st.datetimes(
    min_value=datetime(1970, 1, 3),  # noqa: DTZ001  (the zone is drawn beside it)
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
        lambda minutes: timezone(timedelta(minutes=minutes))
    ),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(MOMENT)
def test_reads_rfc_3339_with_any_offset(moment):
    assert rfc3339_ms(moment.isoformat()) == (moment - EPOCH) // timedelta(milliseconds=1)


@given(MOMENT)
def test_reads_common_log_times_with_any_offset(moment):
    whole = moment.replace(microsecond=0)
    text = whole.strftime("%d/%b/%Y:%H:%M:%S %z").replace(
        whole.strftime("%Y"), f"{whole.year:04d}", 1
    )
    assert clf_ms(text) == (whole - EPOCH) // timedelta(milliseconds=1)


@given(st.text(max_size=40))
def test_never_raises(text):
    for read in (rfc3339_ms, clf_ms, epoch_ms, epoch_s_ms):
        assert read(text) is None or read(text) >= 0


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2024-02-29 12:00:00,5+0100", "2024-02-29T11:00:00.5Z"),
        ("2024-02-29t12:00:00.123456789z", "2024-02-29T12:00:00.123Z"),
        ("2024-02-29T12:00:00+01", "2024-02-29T11:00:00Z"),
    ],
)
def test_reads_the_odd_ones(text, same):
    assert rfc3339_ms(text) == rfc3339_ms(same)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-02-29T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-W01-1T00:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٤-01-01T00:00:00Z",
    ],
)
def test_refuses_what_does_not_exist_or_has_no_offset(text):
    assert rfc3339_ms(text) is None


def test_reads_numbers():
    assert epoch_s_ms("1762157564.123") == epoch_ms(1762157564123) == 1762157564123
    assert epoch_s_ms(float("inf")) is None
    assert epoch_s_ms(-1) is None
    assert epoch_s_ms(1e300) is None


@given(
    st.from_regex(
        r"\A(1969|1970|2024|9999)-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
        r"(\.[0-9]{0,9})?(Z|z|[+-][0-2][0-9]:?[0-6][0-9]|\+05|)\Z"
    )
)
def test_the_quick_way_reads_what_the_grammar_reads(text):
    found = timestamps._RFC3339.fullmatch(text)
    if found is None:
        assert rfc3339_ms(text) is None
        return
    year, month, day, *rest = found.groups()
    plain = timestamps._instant((year, int(month), day), tuple(rest[:3]), *rest[3:])
    assert rfc3339_ms(text) == plain
