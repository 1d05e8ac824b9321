from hypothesis import given
from hypothesis import strategies as st

from streams.lines import LineCutter
from streams.parsed import MAX_LINE


def cut(blocks):
    cutter = LineCutter()
    lines, offsets = [], []
    for block in blocks:
        more, where = cutter.feed(block)
        lines += more
        offsets += where
    last, where = cutter.finish()
    return lines + last, offsets + where


@given(st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"x", b"\n"))))
def test_cuts_the_same_lines_however_the_bytes_arrive(blocks):
    whole = b"".join(blocks)
    lines, offsets = cut(blocks)
    expected = whole.split(b"\n")
    assert lines == (expected if expected[-1] else expected[:-1])
    assert all(
        whole[offset : offset + len(line)] == line
        for line, offset in zip(lines, offsets, strict=True)
    )


def test_keeps_the_start_of_a_line_that_is_too_long_and_counts_all_of_it():
    piece = b"x" * 300_000
    lines, offsets = cut([b"a\n", *[piece] * 9, b"\nb\n"])
    assert [len(line) for line in lines] == [1, MAX_LINE + 1, 1]
    assert offsets == [0, 2, 2 + 9 * len(piece) + 1]


def test_keeps_only_the_start_of_a_long_line_without_an_end():
    lines, _ = cut([b"x" * 3_000_000])
    assert len(lines[0]) == MAX_LINE + 1
