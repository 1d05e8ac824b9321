import json
import os

import pytest

from streams.sources.stdin import StdinSource
from vocabulary.errors import TargetError


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    ends = {reading, writing}

    def close():
        ends.discard(writing)
        os.close(writing)

    yield StdinSource(reading), lambda raw: os.write(writing, raw), close
    for end in ends:
        os.close(end)


def test_gives_whole_lines_as_they_come(pipe):
    source, write, close = pipe
    source.open(None)
    assert source.read(9, 0.0) is None
    write(b"\xef\xbb\xbfone\ntw")
    assert source.read(9, 1.0).lines == [b"one"]
    write(b"o\n")
    chunk = source.read(9, 1.0)
    assert chunk.lines == [b"two"]
    assert chunk.place(0) == {"offset": 2}
    assert not source.done
    write(b"three")
    close()
    assert source.read(9, 1.0).lines == [b"three"]
    assert source.done


def test_gives_no_more_lines_than_are_asked_for(pipe):
    source, write, _ = pipe
    source.open(None)
    write(b"a\nb\nc\n")
    assert source.read(2, 1.0).lines == [b"a", b"b"]
    assert source.read(2, 1.0).lines == [b"c"]


def test_gives_the_last_chunk_again_when_it_was_not_committed(pipe):
    source, write, _ = pipe
    source.open({"run": "an earlier one", "lines": 7})
    write(b"a\nb\nc\n")
    first = source.read(1, 1.0)
    second = source.read(1, 1.0)
    source.open(first.position)
    assert source.read(9, 1.0).lines == [b"b", b"c"]
    source.open(second.position)
    assert source.read(9, 1.0).lines == [b"b", b"c"]


def test_refuses_what_is_no_text(pipe):
    source, write, _ = pipe
    source.open(None)
    write(b"\x1f\x8b\x08\0\0")
    with pytest.raises(TargetError, match="zcat"):
        source.read(9, 1.0)


def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    source = StdinSource(folder)
    source.open(None)
    try:
        with pytest.raises(TargetError, match="stdin: is a directory"):
            source.read(9, 1.0)
    finally:
        os.close(folder)


DOCUMENT = {"Records": [{"n": 1, "s": "}\n"}, {"n": 2}, {"n": [{"m": 3}]}]}
LONG = {"Records": [{"n": number, "s": "x" * 900} for number in range(400)]}


@pytest.mark.parametrize(
    ("text", "records"),
    [
        (json.dumps(DOCUMENT, indent=2), DOCUMENT["Records"]),
        (json.dumps(DOCUMENT, indent=1).replace(": [", " :\n[", 1), DOCUMENT["Records"]),
        (json.dumps(DOCUMENT["Records"], indent=4) + "\n", DOCUMENT["Records"]),
        ("\n".join(json.dumps(one, indent=1) for one in DOCUMENT["Records"]), DOCUMENT["Records"]),
        (json.dumps(DOCUMENT), [DOCUMENT]),
        ("\n".join(map(json.dumps, DOCUMENT["Records"])), DOCUMENT["Records"]),
        (json.dumps(LONG), LONG["Records"]),
        (json.dumps(7), [7]),
    ],
    ids=[
        "indented", "oddly indented", "list", "one after another",
        "one line", "lines", "one long line", "no object",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 5, 4096, 60_000], ids=lambda size: f"{size} bytes")
def test_gives_the_records_of_json_documents_however_the_bytes_come(pipe, text, records, size):
    source, write, close = pipe
    source.open(None)
    raw, found = text.encode(), []
    size = max(size, len(raw) // 500)
    for begin in range(0, len(raw), size):
        write(raw[begin : begin + size])
        chunk = source.read(10_000, 0.0)
        found += chunk.lines if chunk else []
    close()
    while chunk := source.read(10_000, 1.0):
        found += chunk.lines
    assert [json.loads(line) for line in found] == records
    assert source.done


def test_a_record_of_a_document_is_given_before_the_document_ends(pipe):
    source, write, _ = pipe
    source.open(None)
    write(b'{\n "Records": [\n  {\n   "n": 1\n  },\n  {')
    assert source.read(9, 1.0).lines == [b'{    "n": 1   }']
