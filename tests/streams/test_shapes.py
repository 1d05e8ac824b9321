"""Formats as a configuration shapes them, and what each of them alone does."""

import json
import sys

import pytest

from streams import formats
from streams.addresses import Proxies
from streams.chunk import Chunk
from streams.parsed import MAX_LINE, Shape
from streams.paths import path_of
from streams.unfolding import parsed_under, unfolded
from vocabulary.errors import ConfigError, UsageError


def parsed(name, line, proxies=(), **shape):
    log_format = formats.shaped(name, Shape(**shape))
    lines = line if isinstance(line, list) else [line]
    found = log_format.parse(lines, Proxies.of(proxies))
    assert not found.rejected
    return found


def told(name, line, proxies=(), **shape):
    found = parsed(name, line, proxies, **shape)
    return found.ip[0], found.key[0], found.method[0], found.path[0], found.status[0]


ENVOY = (
    '[%START_TIME%] %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% "%REQ(X-API-KEY-ID)%" '
    "%DOWNSTREAM_REMOTE_ADDRESS%\n"
)
HAPROXY = (
    b"198.51.100.7:1 [03/Nov/2025:08:12:44.000] a b/c 1/1/1/1/1 200 5 - - ---- 1/1/1/1/0 0/0 "
    b'{key_a|shop|curl} {nginx} "GET /v1/a HTTP/1.1"'
)
EVENT = ("198.51.100.7", "key_a", "GET", "/v1/a", 200)


@pytest.mark.parametrize(
    ("name", "layout", "line"),
    [
        (
            "apache",
            '%a %t \\"%r\\" %>s %b \\"%{KEY_ID}e\\"',
            b'198.51.100.7 [03/Nov/2025:09:12:44 +0100] "GET /v1/a?x HTTP/1.1" 200 - "key_a"',
        ),
        (
            "apache",
            "%h %{%d/%m/%Y %H:%M:%S %z}t %m %U%q %s %{X-Api-Key-Id}i",
            b"198.51.100.7 03/11/2025 08:12:44 +0000 GET /v1/a?x=1 200 key_a",
        ),
        (
            "apache",
            "%{KEY_ID}e\t%{msec}t\t%r\t%s\t%a",
            b"key_a\t1762157564000\tGET /v1/a HTTP/1.1\t200\t198.51.100.7",
        ),
        (
            "apache",
            '%{c}a %a %{begin:%FT%T%z}t.%{msec_frac}t "%r" %s %{KEY_ID}e %{X-Api-Key-Id}i',
            b'10.0.0.1 198.51.100.7 2025-11-03T08:12:44+0000.003 "GET /v1/a" 200 - key_a',
        ),
        (
            "nginx",
            '$msec $remote_addr "$request_method $request_uri" $status ${api_key_id};',
            b'1762157564.000 198.51.100.7 "GET /v1/a?x" 200 key_a;',
        ),
        (
            "envoy",
            ENVOY,
            b'[2025-11-03T08:12:44.000Z] GET /v1/a?x 200 "key_a" 198.51.100.7',
        ),
        (
            "iis",
            "date time c-ip cs-method cs-uri-stem cs-uri-query sc-status X-Api-Key-Id",
            b"2025-11-03 08:12:44 198.51.100.7 GET /v1/a x=1 200 key_a",
        ),
        (
            "haproxy",
            "key||agent",
            HAPROXY,
        ),
    ],
)
def test_reads_a_log_by_the_servers_own_format_string(name, layout, line):
    assert told(name, line, layout=layout) == EVENT
    assert parsed(name, line, layout=layout).ts_ms[0] == 1762157564000


def test_of_two_fields_for_the_key_the_first_that_holds_one_counts():
    layout = '%a %t "%r" %>s "%{KEY_ID}e" "%{X-Api-Key-Id}i"'
    line = b'198.51.100.7 [03/Nov/2025:09:12:44 +0100] "GET /v1/a" 200 "%b" "%b"'
    lines = [line % keys for keys in ((b"key_a", b"key_b"), (b"-", b"key_b"), (b"", b"key_b"))]
    assert list(parsed("apache", lines, layout=layout).key) == ["key_a", "key_b", "key_b"]


def test_a_field_of_ones_own_may_be_the_key():
    line = b'198.51.100.7 [03/Nov/2025:09:12:44 +0100] "GET /v1/a" 200 "key_a" "key_b"'
    layout = '%a %t "%r" %>s "%{KEY_ID}e" "%{X-Client}i"'
    assert told("apache", line, layout=layout)[1] == "key_a"
    assert told("apache", line, layout=layout, fields={"key": "%{X-Client}i"})[1] == "key_b"


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("apache", {"layout": "%h %s"}, "holds no time"),
        ("apache", {"layout": "%h%u %t"}, "nothing stands between %h"),
        ("apache", {"layout": "%h " * 2000 + "%t"}, "longer than 4096"),
        ("apache", {"layout": "%h %{%H:%M}t"}, "whole date"),
        ("apache", {"layout": "%h %t", "fields": {"key": "%{A}i"}}, "holds no '%{A}i'"),
        ("apache", {"layout": "%h %t", "fields": {"soul": "%h"}}, "an event has no 'soul'"),
        ("apache", {"pattern": "x"}, "apache has no pattern"),
        ("keywatch-json", {"layout": "x"}, "keywatch-json has no layout"),
        ("iis", {"layout": "c-ip sc-status"}, "no time"),
        ("haproxy", {"layout": "key|soul"}, "no 'soul'"),
        ("custom-json", {"fields": {"key": "a..b"}}, "no path"),
        ("custom-json", {"fields": {"soul": "a"}}, "an event has no 'soul'"),
        ("custom-json", {"fields": {"key": "a", "ip": "a.b"}}, "one path ends"),
        ("custom-json", {"fields": {"key": "a[0]", "ip": "a.b"}}, "an array"),
        ("custom-json", {"fields": {"key": "a.b", "ip": "a"}}, "one path ends"),
        ("custom-json", {"time": "sundial"}, "no way to write times"),
        ("custom-json", {"time": "%Q%"}, "no pattern of times"),
        ("otlp-json", {"fields": {"soul": "a"}}, "no attribute can be 'soul'"),
        ("otlp-json", {"fields": {"time": "a"}}, "no attribute can be 'time'"),
        ("iis", {"layout": "date time c-ip", "fields": {"key": "cs-x"}}, "no field 'cs-x'"),
        ("custom-regex", {"pattern": "(?P<time>x)(?P<soul>y)"}, "no 'soul'"),
        ("custom-regex", {"pattern": "(?P<ip>x)"}, "without a group `time`"),
        ("custom-regex", {"pattern": "(?P<time>x"}, "missing"),
        ("custom-regex", {"pattern": r"(?P<time>x)\1"}, "invalid"),
    ],
)
def test_refuses_a_shape_that_is_none(name, shape, said):
    with pytest.raises(ConfigError) as refused:
        formats.shaped(name, Shape(**shape))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.b[0].c", ("a", "b", 0, "c")),
        ('$.request.headers["X-Api.Key"][0]', ("request", "headers", "X-Api.Key", 0)),
        ("['a b']", ("a b",)),
        ("@timestamp", ("@timestamp",)),
    ],
)
def test_reads_paths_into_json(text, path):
    assert path_of(text) == path


@pytest.mark.parametrize("text", ["", "$", ".a", "a.", "a[", "a[x]", "[0]", "a.b" * 99])
def test_refuses_what_is_no_path(text):
    with pytest.raises(ConfigError):
        path_of(text)


def test_reads_json_by_the_configured_paths():
    line = {"at": 1762157564, "who": {"id": "key_a"}, "from": ["198.51.100.7"], "r": "GET /v1/a"}
    fields = {"time": "at", "key": "who.id", "ip": "from[0]", "request": "r", "status": "s.code"}
    shape = {"fields": fields, "time": "epoch_s"}
    full = json.dumps({**line, "s": {"code": 200}}).encode()
    assert told("custom-json", full, **shape) == EVENT
    # What stands in the way of a path is no error: the field is not there.
    odd = json.dumps({**line, "s": 3, "who": None, "from": []}).encode()
    assert told("custom-json", odd, **shape) == ("", "", "GET", "/v1/a", 0)
    both = parsed("custom-json", [odd, full, odd], **shape)
    assert list(both.key) == ["", "key_a", ""]


def test_numbers_of_json_may_be_fractions_or_text():
    def statuses(word):
        line = f'{{"time":"2025-11-03T08:12:44Z","status":{word}}}'.encode()
        return formats.find("custom-json").parse([line])

    assert list(statuses("200.0").status) == [200]
    assert list(statuses('"200"').status) == [200]
    assert list(statuses("null").status) == [0]
    assert statuses("200.5").rejected[0][1] == "status: not a status from 0 to 999"


def test_requests_may_be_a_line_or_parts_of_one():
    fields = {"time": "t", "request": "r", "method": "m", "target": "u", "query": "q"}
    told = [
        {"r": "GET /a HTTP/1.1"},
        {"m": "PUT", "u": "/b", "q": f"?x=1&key={TOKEN}"},
        {"m": "PUT", "u": "/c", "q": "-"},
    ]
    lines = [json.dumps({"t": 1762157564, **one}).encode() for one in told]
    found = parsed("custom-json", lines, fields=fields, time="epoch_s")
    assert list(zip(found.method, found.path, found.key, strict=True)) == [
        ("GET", "/a", ""),
        ("PUT", "/b", TOKEN),
        ("PUT", "/c", ""),
    ]


@pytest.mark.parametrize(
    ("time", "word"),
    [
        ("epoch_us", "1762157564000000"),
        ("epoch_ns", '"1762157564000000000"'),
        ("utc", '"2025-11-03 08:12:44"'),
        ("%F %T", '"2025-11-03 08:12:44"'),
        ("%d.%m.%Y %H:%M:%S", '"03.11.2025 08:12:44"'),
        ("%d.%m.%Y %H:%M:%S %z", '"03.11.2025 09:12:44 +0100"'),
    ],
)
def test_reads_times_as_the_configuration_says(time, word):
    wrong = ("never", "9" * 300, f"{word.strip(chr(34))}!")
    lines = [f'{{"time":{one}}}'.encode() for one in (word, *map(json.dumps, wrong))]
    found = formats.shaped("custom-json", Shape(time=time)).parse(lines)
    assert list(found.ts_ms) == [1762157564000]
    assert [line for line, _ in found.rejected] == [1, 2, 3]


def test_without_the_package_the_default_expression_is_read_and_no_other(monkeypatch):
    monkeypatch.setitem(sys.modules, "re2", None)
    monkeypatch.delitem(sys.modules, "streams.formats.custom_regex", raising=False)
    formats.find.cache_clear()
    try:
        plain = formats.find("custom-regex")
        assert not plain.parse(plain.samples).rejected
        with pytest.raises(UsageError, match=r"install keywatch\[re2\]"):
            formats.shaped("custom-regex", Shape(pattern="(?P<time>.*)"))
    finally:
        formats.find.cache_clear()


def test_an_expression_never_takes_long():
    pattern = r"(?P<time>(a+)+)$"
    hostile = b"a" * 200_000 + b"!"
    found = formats.shaped("custom-regex", Shape(pattern=pattern)).parse([hostile])
    assert found.rejected == [(0, "line: no match")]


@pytest.mark.parametrize(
    "name", ["apache", "aws-alb", "envoy", "haproxy", "nginx", "traefik", "iis", "cloudfront"]
)
@pytest.mark.parametrize("piece", [b'" "', b'"', b" ", b"[", b"{", b'" {', b"a", b'\\"', b"1 - "])
def test_text_is_taken_apart_quickly_whatever_it_is(name, piece):
    log_format = formats.find(name)
    sample = log_format.samples[0]
    agent = sample.index(b"invoicer") if b"invoicer" in sample else len(sample) // 2
    line = sample[:agent] + piece * (60_000 // len(piece)) + sample[agent:]
    found = log_format.parse([line])
    assert len(found) + len(found.rejected) == 1


def test_quotes_of_a_client_do_not_have_its_line_refused_or_its_key_forged():
    sample = formats.find("envoy").samples[0]
    forged = sample.replace(b'invoicer "4.2"', b'x" "id" "shop" "u" "203.0.113.1" "key_forged')
    assert told("envoy", forged)[:2] == ("198.51.100.23", "")


def test_the_peer_of_envoy_is_the_last_forwarded_address():
    line = formats.find("envoy").samples[0].replace(b"198.51.100.23", b"10.0.0.9")
    assert told("envoy", line)[0] == "10.0.0.9"
    assert told("envoy", line, ["10.0.0.0/8"])[0] == "203.0.113.7"


def test_the_peer_of_traefik_is_believed_before_the_host_it_names():
    line = (
        b'{"StartUTC":"2025-11-03T08:12:44Z","ClientAddr":"198.51.100.7:80","ClientHost":"1.1.1.1"}'
    )
    assert told("traefik-json", line)[0] == "198.51.100.7"


def test_headers_that_clients_write_are_no_keys():
    request = b'{"remote_ip":"192.0.2.1","headers":{"X-Api-Key-Id":["key_x"]}}'
    caddy = b'{"ts":1762157564,"request":%b}' % request
    assert told("caddy", caddy)[:2] == ("192.0.2.1", "")
    assert told("caddy", caddy[:-1] + b',"api_key_id":"key_y"}')[1] == "key_y"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        (b'"OriginStatus":0', ""),
        (b'"OriginStatus":0,"RouterName":"api@file"', "key_x"),
        (b'"OriginStatus":200', "key_x"),
        (b'"DownstreamStatus":200', "key_x"),
    ],
    ids=["no-router", "refused", "answered", "untold"],
)
def test_a_key_in_a_request_that_no_router_of_traefik_took_is_the_clients_word(more, key):
    request = b'"ClientAddr":"192.0.2.1:8","request_X-Api-Key-Id":"key_x"'
    line = b'{"StartUTC":"2025-11-03T08:12:44Z",%b,%b}' % (request, more)
    assert told("traefik-json", line)[1] == key


def test_captured_headers_of_haproxy_are_keys_only_where_they_look_like_one():
    sample = formats.find("haproxy").samples[0]
    assert told("haproxy", sample)[1] == "key_abcdefgh234567ab"
    assert told("haproxy", sample.replace(b"key_abcdefgh234567ab", b"shop.example"))[1] == ""


@pytest.mark.parametrize(
    ("word", "ms"),
    [
        ('"2025-11-03T08:12:44Z"', 1762157564000),
        ("1762157564", 1762157564000),
        ("1762157564123", 1762157564123),
        ("1762157564123456", 1762157564123),
        ("1762157564123456789", 1762157564123),
        ('"1762157564.5"', 1762157564500),
        ('"03/Nov/2025:09:12:44 +0100"', 1762157564000),
    ],
)
def test_reads_times_however_they_are_written(word, ms):
    line = f'{{"ClientIP":"192.0.2.1","EdgeStartTimestamp":{word}}}'.encode()
    assert list(parsed("cloudflare", line).ts_ms) == [ms]


TOKEN = "credential:0123456789abcdef"
HEADER = b"#Fields: date time c-ip sc-status cs-username"


def test_a_field_of_w3c_of_ones_own_may_be_the_key():
    lines = [b"2025-11-03 08:12:44 key_a 192.0.2.1", b"#Fields: date time c-ip x-who"]
    lines.append(b"2025-11-03 08:12:44 192.0.2.1 key_b")
    shape = {"layout": "date time X-Who c-ip", "fields": {"key": "X-Who"}}
    assert list(parsed("iis", lines, **shape).key) == ["key_a", "key_b"]


def test_a_line_beyond_the_limit_below_a_header_is_refused():
    long = b"2025-11-03 08:12:44 192.0.2.1 200 " + b"x" * MAX_LINE
    found = formats.find("iis").parse([HEADER, long])
    assert found.rejected == [(1, f"line: longer than {MAX_LINE} bytes")]


def test_a_header_holds_until_the_next_one():
    lines = [
        b"#Software: IIS",
        HEADER,
        b"2025-11-03 08:12:44 192.0.2.1 200 jo",
        b"#Fields: date time sc-status c-ip",
        b"2025-11-03 08:12:45 404 192.0.2.2",
        b"2025-11-03 08:12:45 192.0.2.2",
    ]
    found = formats.find("iis").parse(lines)
    assert list(zip(found.line, found.ip, found.status, found.key, strict=True)) == [
        (2, "192.0.2.1", 200, "jo"),
        (4, "192.0.2.2", 404, ""),
    ]
    assert found.rejected == [(5, "line: 3 fields where 4 are named")]


def test_a_header_holds_on_in_the_next_chunk():
    iis = formats.find("iis")
    first, header = parsed_under(b"", [HEADER], iis)
    assert len(first) == 0
    found, header = parsed_under(header, [b"2025-11-03 08:12:44 192.0.2.1 200 jo", b"x"], iis)
    assert (list(found.line), list(found.status), header) == ([0], [200], HEADER)
    assert found.rejected[0][0] == 1


def test_a_header_without_times_has_its_lines_refused():
    found = formats.find("iis").parse([b"#Fields: c-ip sc-status", b"192.0.2.1 200"])
    assert found.rejected == [(1, "#Fields: names no date and time")]


def test_records_that_share_a_line_are_events_of_their_own():
    one = json.loads(formats.find("cloudtrail").samples[0])
    line = json.dumps({"Records": [one, {**one, "eventTime": "never"}, one]}).encode()
    chunk = Chunk("s", [b"{}", line], [0, 3], {"offset": 9})
    opened = unfolded(chunk, formats.find("cloudtrail"))
    assert list(opened.offsets) == [0, 3, 3, 3]
    assert opened.position == {"offset": 9}
    found = formats.find("cloudtrail").parse(opened.lines)
    assert list(found.line) == [1, 3]
    assert opened.place(2) == {"offset": 3}


@pytest.mark.parametrize("name", ["cloudtrail", "otlp-json"])
@pytest.mark.parametrize("line", [b'{"Records": ["resourceLogs"', b'{"Records":' * 5000])
def test_a_line_that_only_looks_like_many_records_is_one_line(name, line):
    chunk = Chunk("s", [line, line], [0, 3], {"offset": 9})
    opened = unfolded(chunk, formats.find(name))
    assert (opened.lines, opened.offsets) == ([line, line], [0, 3])
    assert len(formats.find(name).parse(opened.lines).rejected) == 2


def test_attributes_of_opentelemetry_have_names_of_ones_own():
    record = json.loads(formats.find("otlp-json").samples[0])
    attributes = {"who": "key_a", "code": "broken"}
    told = [{"key": name, "value": {"stringValue": text}} for name, text in attributes.items()]
    line = json.dumps({**record, "attributes": [*record["attributes"], *told]}).encode()
    assert list(parsed("otlp-json", line, fields={"key": "who"}).key) == ["key_a"]
    found = formats.shaped("otlp-json", Shape(fields={"status": "code"})).parse([line])
    assert found.rejected == [(0, "code: not a status from 0 to 999")]


def test_an_export_of_opentelemetry_is_taken_apart():
    record = json.loads(formats.find("otlp-json").samples[0])
    export = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, record]}]}]}
    line = json.dumps(export, indent=1).replace("\n", " ").encode()
    opened = unfolded(Chunk("s", [line], [0], {}), formats.find("otlp-json"))
    assert list(formats.find("otlp-json").parse(opened.lines).path) == ["/v1/invoices"] * 2


@pytest.mark.parametrize(
    ("fields", "key"),
    [({}, "key_1"), ({"key": "cs-headers:X-Own"}, "key_2")],
)
def test_cloudfronts_field_of_all_headers_tells_the_key(fields, key):
    shape = Shape("timestamp c-ip sc-status cs-method cs-uri-stem cs-headers", fields)
    headers = "Host:d1.cloudfront.net%0AX-Api-Key-Id:key_1%0Ax-own:%20key_2%0Anothing%0A"
    line = f"1762161164.123\t198.51.100.23\t200\tGET\t/v1/invoices\t{headers}".encode()
    parsed = formats.shaped("cloudfront", shape).parse([line, line.replace(headers.encode(), b"-")])
    assert list(parsed.key) == [key, ""]
    assert not parsed.rejected


def test_a_header_of_a_field_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="there is no field"):
        formats.shaped("cloudfront", Shape("timestamp c-ip", {"key": "cs-headers:X-Own"}))
