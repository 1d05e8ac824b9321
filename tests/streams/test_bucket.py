import sys
from urllib.parse import parse_qs, urlsplit

import pytest

from streams.objectmemory import Names, digests
from streams.sources.bucket import Bucket
from streams.sources.objects import ObjectSource
from tests.httpd import serving
from vocabulary.errors import TargetError, UsageError

KEYS = ("a/", "a/1.log", "a/3.txt", "a/b/2.log", "c/4.log")


def answer(asked):
    """List and give objects as S3 does, a page at a time."""
    url = urlsplit(asked.path)
    told = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.path.startswith("/nowhere"):
        return 404, {}, b"<Error><Code>NoSuchBucket</Code></Error>"
    if url.path.endswith("/gone"):
        return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
    if "list-type" not in told:
        return 200, {}, f"{url.path.removeprefix('/logs/')}\n".encode()
    after = told.get("start-after", "")
    if url.path.startswith(("/unheeding", "/unordered")):
        after = ""
    keys = [key for key in KEYS if key.startswith(told["prefix"]) and key > after]
    keys = keys[::-1] if url.path.startswith("/unordered") else keys
    at = int(told.get("continuation-token", 0))
    inside = f"<Contents><Key>{keys[at]}</Key></Contents>"
    more = at + 1 < len(keys)
    inside += f"<IsTruncated>{str(more).lower()}</IsTruncated>"
    inside += f"<NextContinuationToken>{at + 1}</NextContinuationToken>" * more
    return (
        200,
        {"Content-Type": "text/xml"},
        f"<ListBucketResult>{inside}</ListBucketResult>".encode(),
    )


class Blank:
    """What is known of a folder that was never read."""

    def positions(self):
        return {}

    def names(self):
        return Names(digests(()))


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with serving(answer) as server:
        yield server.url


def test_reads_the_objects_of_a_prefix(endpoint):
    folder = Bucket("s3://logs/a/", "us-east-1", endpoint, ".log")
    with ObjectSource(folder, Blank(), once=True) as source:
        source.open()
        chunks = [source.read(9, 0.0), source.read(9, 0.0)]
        assert source.done
    assert [chunk.lines for chunk in chunks] == [[b"a/1.log"], [b"a/b/2.log"]]
    assert chunks[1].source == "objects:s3://logs/a/b/2.log"


def test_says_what_is_wrong_with_a_bucket(endpoint):
    with pytest.raises(TargetError, match="s3:ListBucket"):
        ObjectSource(Bucket("s3://nowhere/", "us-east-1", endpoint), Blank()).open()


def test_an_object_may_be_named_by_itself(endpoint):
    folder = Bucket("s3://logs/a/1.log", "us-east-1", endpoint)
    with ObjectSource(folder, Blank(), once=True) as source:
        source.open()
        chunk = source.read(9, 0.0)
        assert source.done
    assert chunk.lines == [b"a/1.log"]
    assert chunk.source == "objects:s3://logs/a/1.log/"


def test_an_object_that_is_gone_when_its_turn_comes_is_told_of(endpoint):
    with pytest.raises(TargetError, match="s3://logs: NoSuchKey"):
        Bucket("s3://logs/", "us-east-1", endpoint).read("gone", 99)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match=r"install keywatch\[aws\]"):
        Bucket("s3://logs/")


@pytest.mark.parametrize("name", ["logs", "unheeding"])
def test_lists_what_stands_behind_a_name(endpoint, name):
    bucket = Bucket(f"s3://{name}/a/", "us-east-1", endpoint)
    assert list(bucket.keys()) == ["1.log", "3.txt", "b/2.log"]
    assert list(bucket.keys(after="1.log")) == ["3.txt", "b/2.log"]
    assert list(bucket.keys(prefix="b", after="1.log")) == ["b/2.log"]


def test_a_bucket_without_an_order_is_refused(endpoint):
    with pytest.raises(TargetError, match="no order"):
        list(Bucket("s3://unordered/a/", "us-east-1", endpoint).keys())
