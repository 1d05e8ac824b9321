"""Files whose records are not their lines: indented JSON, and CloudTrail's in one long line."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.documents import RecordCutter, cutter
from streams.lines import KEPT, LineCutter
from streams.logfile import open_log
from streams.sources.file import FileSource

WORDS = st.text(st.sampled_from('ab"\\{}[],:é \n'), max_size=9)
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(0, 9), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["id", "records", "x"]), VALUES), max_size=4)


def cut(data, edges=(), offset=0):
    """Feed the bytes in parts; return the records and where they begin."""
    one, found = RecordCutter(offset), []
    for begin, end in zip([0, *edges], [*edges, len(data)], strict=True):
        found.append(one.feed(data[begin:end]))
    found.append(one.finish())
    assert one.offset == offset + len(data)
    return [row for lines, _ in found for row in lines], [at for _, more in found for at in more]


@given(RECORDS, st.sampled_from([None, 0, 2]), st.lists(st.integers(0, 400)), st.data())
def test_records_are_those_of_the_document_wherever_the_bytes_are_divided(
    records, indent, edges, data
):
    raw = json.dumps({"Records": records}, indent=indent, ensure_ascii=False).encode() + b"\n"
    lines, offsets = cut(raw, sorted(min(edge, len(raw)) for edge in edges))
    assert [json.loads(line) for line in lines] == records
    assert all(b"\n" not in line for line in lines)
    assert all(raw[at : at + 1] == b"{" for at in offsets)
    if offsets:
        # A restart goes on at any record.
        start = data.draw(st.sampled_from(offsets))
        again, _ = cut(raw[start:], offset=start)
        assert again == lines[offsets.index(start) :]


@given(st.binary(max_size=60), st.integers(0, 60))
def test_what_is_no_json_is_given_alike_however_it_is_divided(raw, edge):
    assert cut(raw, [min(edge, len(raw))]) == cut(raw)


def test_documents_may_follow_one_another_and_text_between_them_is_a_line():
    raw = b'{\n "a": 1\n}\n{"Records": [{"b": 2},\n{"c": 3}]}\noops\n[{"d": 4}]'
    lines, offsets = cut(raw)
    assert lines == [b'{  "a": 1 }', b'{"b": 2}', b'{"c": 3}', b"oops", b'{"d": 4}']
    assert offsets == [0, 25, 35, 46, 52]


def test_a_record_without_an_end_takes_no_more_memory_than_a_line():
    one = RecordCutter()
    assert one.feed(b'{"Records": [{"x": "') == ([], [])
    for _ in range(20):
        assert one.feed(b"\\" * (KEPT // 4)) == ([], [])
        assert len(one._record) + len(one._tail) <= KEPT + 1
    lines, _ = one.finish()
    assert [len(line) for line in lines] == [KEPT]


LONG = json.dumps({"Records": [{"n": number} for number in range(KEPT // 8)]})
INDENTED = json.dumps({"Records": [{"n": 1}, {"n": 2}]}, indent=4)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (INDENTED, RecordCutter),
        ("\ufeff" + INDENTED, RecordCutter),
        (INDENTED.replace("\n", "\r\n"), RecordCutter),
        ('{"Records": [\n{"n": 1},\n{"n": 2}\n]}', RecordCutter),
        (json.dumps([{"n": 1}], indent=1), RecordCutter),
        (LONG, RecordCutter),
        ('{"Records": [{"n": 1}]}\n', LineCutter),
        ('{"n": 1}\n{"n": 2}\n', LineCutter),
        ("[2026-01-01] {\n", LineCutter),
        ("", LineCutter),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_only_files_whose_records_are_not_lines_are_cut_otherwise(text, kind, packed, tmp_path):
    raw = text.encode()
    (tmp_path / "log").write_bytes(gzip.compress(raw, 1) if packed else raw)
    log = open_log(tmp_path / "log")
    assert type(cutter(log, 0)) is kind
    log.close()


def test_a_file_of_one_long_line_is_read_whole(tmp_path):
    (tmp_path / "log").write_text(LONG)
    source, found = FileSource(tmp_path / "log", follow=False), []
    source.open(None)
    while not source.done:
        chunk = source.read(10_000, 0.0)
        found += [] if chunk is None else [json.loads(line)["n"] for line in chunk.lines]
    source.close()
    assert found == list(range(KEPT // 8))
