"""What a key is known by: bounded tables, against one that is filled value by value."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import tables
from detectors.profile import ASNS, NEW_ASNS, blank

DAYS = st.lists(st.lists(st.integers(1, 40), max_size=20), max_size=12)


def slow(known, new, today):
    """Take a day's new values into a table {value: (last, days)}, one by one."""
    for value in new[:NEW_ASNS]:
        known.setdefault(value, (today, 1))
    worth = {v: last + 7 * min(days, 26) for v, (last, days) in known.items()}
    # Of equal ones those that were known longer stay.
    kept = sorted(known, key=lambda v: -worth[v])[:ASNS]
    return {v: known[v] for v in known if v in kept}


def seen_on(rows, values, today):
    rows["day"] = today
    column = np.array(values or [0], np.uint32)
    tables.look_up(rows, "asn", np.zeros(len(column), np.int32), column, rows["day"])


@settings(max_examples=150, deadline=None)
@given(days=DAYS)
def test_a_table_is_what_filling_it_value_by_value_gives(days):
    rows, known = blank(1), {}
    for today, values in enumerate(days, 20_000):
        seen_on(rows, values, today)
        new = [v for v in dict.fromkeys(values) if v not in known]
        for value in set(values) & set(known):
            known[value] = (today, known[value][1] + 1)
        tables.learn(rows, "asn")
        known = slow(known, new, today)
        columns = zip(rows["asn"][0], rows["asn_last"][0], rows["asn_days"][0], strict=True)
        assert {int(v): (int(a), int(b)) for v, a, b in columns if v} == known


def test_values_that_feedback_took_out_leave_room_for_others():
    rows = blank(1)
    seen_on(rows, [1, 2, 3], 20_000)
    tables.learn(rows, "asn")
    rows["asn"][0, 1] = 0
    seen_on(rows, [4], 20_001)
    tables.learn(rows, "asn")
    assert set(rows["asn"][0].tolist()) == {0, 1, 3, 4}


def test_a_full_list_of_a_day_takes_no_more_and_says_that_nothing_is_new():
    rows, row, day = blank(1), np.zeros(NEW_ASNS + 3, np.int32), np.array([20_000])
    rows["day"] = day
    many = np.arange(1, NEW_ASNS + 4, dtype=np.uint32)
    tables.look_up(rows, "asn", row, many, day)
    waiting = rows["asn_new"].copy()
    tables.look_up(rows, "asn", row[:1], np.array([999], np.uint32), day)
    assert rows["asn_count"].tolist() == [NEW_ASNS]
    assert np.array_equal(rows["asn_new"], waiting)
    assert waiting[0].tolist() == many[:NEW_ASNS].tolist()
