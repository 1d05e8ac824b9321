"""The contract that every log format keeps."""

from itertools import chain

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from streams import formats
from streams.addresses import Proxies
from streams.parsed import MAX_LINE
from tests.streams.writers import UNTOLD, WHOLE_SECONDS, WRITERS
from vocabulary.errors import FormatError

COLUMNS = ("ts_ms", "key", "ip", "method", "path", "status", "size", "agent")
EVERY = pytest.mark.parametrize("name", formats.names())

WORD = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_.~", min_size=1, max_size=12)
EVENT = st.fixed_dictionaries(
    {
        "ts_ms": st.integers(0, 253_402_300_799_999),
        "key": st.one_of(st.just(""), WORD.filter(lambda word: word != "-")),
        "ip": st.ip_addresses(v=4).map(str),
        "method": st.sampled_from(["GET", "POST", "PATCH", "M-SEARCH"]),
        "path": st.lists(WORD, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts)),
        "status": st.integers(100, 599),
        "size": st.integers(0, 2**40),
        "agent": st.text("abcXYZ0123456789 ()/.;,+é", max_size=40).filter(lambda text: text != "-"),
    }
)


def rows(parsed):
    return list(zip(*(getattr(parsed, column) for column in COLUMNS), strict=True))


@EVERY
def test_reads_its_own_samples(name):
    log_format = formats.find(name)
    parsed = log_format.parse(log_format.samples)
    assert not parsed.rejected
    assert list(parsed.line) == list(range(len(log_format.samples)))
    assert all(parsed.ip)
    assert log_format.name == name


# What is drawn at random is drawn once for all formats: drawing takes longer than reading.
@given(events=st.lists(EVENT, max_size=7))
def test_each_gives_back_what_was_written(events):
    whole = [{**event, "ts_ms": event["ts_ms"] // 1000 * 1000} for event in events]
    for name in formats.names():
        note(name)
        written = whole if name in WHOLE_SECONDS else events
        parsed = formats.find(name).parse([WRITERS[name](event) for event in written])
        assert not parsed.rejected
        for column in set(COLUMNS) - UNTOLD.get(name, set()):
            assert list(getattr(parsed, column)) == [event[column] for event in written]


@given(lines=st.lists(st.binary(max_size=300).map(lambda raw: raw.replace(b"\n", b"")), max_size=8))
def test_none_raises_for_any_bytes(lines):
    for name in formats.names():
        note(name)
        check(name, lines)


SHARE = st.floats(0, 1)
GRAFT = st.one_of(
    st.binary(max_size=9),
    st.sampled_from([b'"', b"\\", b"[", b"{", b"-1", b"9" * 400, b"NaN", b"null"]),
)
MOST = 2 * max(len(formats.find(name).samples) for name in formats.names())


@given(grafts=st.lists(st.tuples(SHARE, SHARE, GRAFT), min_size=MOST, max_size=MOST))
def test_none_raises_for_lines_that_are_nearly_right(grafts):
    for name in formats.names():
        note(name)
        check(
            name, [grafted(*at) for at in zip(formats.find(name).samples * 2, grafts, strict=False)]
        )


def grafted(sample, graft):
    """Put something else in the place of a stretch of a sample."""
    begin, reach, put = graft
    start = round(begin * len(sample))
    end = start + round(reach * (len(sample) - start))
    return (sample[:start] + put + sample[end:]).replace(b"\n", b"")


def check(name, lines):
    """Every line is an event, refused, or blank; and none depends on its neighbours."""
    parse = formats.find(name).parse
    parsed = parse(lines)
    assert {len(getattr(parsed, column)) for column in (*COLUMNS, "line")} == {len(parsed)}
    told = sorted(chain(parsed.line, (line for line, _ in parsed.rejected)))
    assert told == sorted(set(told))
    header = formats.find(name).header
    untold = [lines[line].strip() for line in set(range(len(lines))) - set(told)]
    assert all(not line or (header and line.startswith(b"#")) for line in untold)
    assert rows(parsed) == list(chain.from_iterable(rows(parse([line])) for line in lines))
    for ts_ms, key, ip, method, path, status, size, agent in rows(parsed):
        assert 0 <= ts_ms < 2**48
        assert 0 <= status <= 999
        assert 0 <= size < 2**63
        assert key == "" or key.isprintable()
        for text in (ip, method, path, agent):
            text.encode()


@EVERY
def test_refuses_lines_that_are_too_long(name):
    sample = formats.find(name).samples[0]
    parsed = formats.find(name).parse([sample, b"x" * (MAX_LINE + 1), sample])
    assert list(parsed.line) == [0, 2]
    assert parsed.rejected == [(1, f"line: longer than {MAX_LINE} bytes")]


@EVERY
def test_reads_lines_with_carriage_returns_and_skips_blank_ones(name):
    sample = formats.find(name).samples[0]
    parsed = formats.find(name).parse([b"", sample + b"\r", b"  ", b"\r"])
    assert list(parsed.line) == [1]
    assert not parsed.rejected


@EVERY
def test_reads_nothing_from_nothing(name):
    assert len(formats.find(name).parse([])) == 0


@EVERY
def test_says_how_to_log_the_key(name):
    assert formats.find(name).log_the_key
    assert formats.find(name).about


@EVERY
def test_never_repeats_the_words_of_a_line_in_a_reason(name):
    marker = b"Zq7wXv" * 4
    for sample in formats.find(name).samples:
        for cut in range(0, len(sample), 7):
            parsed = formats.find(name).parse([sample[:cut] + marker + sample[cut + 3 :], marker])
            assert all(marker.decode() not in reason for _, reason in parsed.rejected)


def test_names_the_nearest_format_for_an_unknown_name():
    with pytest.raises(FormatError, match="did you mean nginx-json"):
        formats.find("nginx-jsn")
    with pytest.raises(FormatError, match="nginx-combined"):
        formats.find("../../evil")


def one(name, line, *, proxies=()):
    parsed = formats.find(name).parse([line], Proxies.of(proxies))
    assert not parsed.rejected
    return dict(zip(COLUMNS, rows(parsed)[0], strict=True))


def reason(name, line):
    return formats.find(name).parse([line]).rejected[0][1]


NGINX = b'192.0.2.1 - %b [03/Nov/2025:09:12:44 +0100] "%b" 200 5 "-" "a"%b'


@pytest.mark.parametrize(
    "request_line",
    [b"", b"-", b"\\x16\\x03\\x01\\x02", b"GET", b"{}", b"\xff\xfe", b"quit\\x0D"],
)
def test_counts_a_request_that_is_no_http(request_line):
    event = one("nginx-combined", NGINX % (b"-", request_line, b""))
    assert (event["method"], event["path"], event["status"]) == ("", "", 200)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a b/c", "/a b/c"),
        (b"/a?b#c", "/a"),
        (b"http://shop.example/a?x=1", "/a"),
        (b"https://shop.example", "/"),
        (b"*", "*"),
        (b"//a//b", "//a//b"),
        (b"/" + b"x" * 5000, "/" + "x" * 2047),
    ],
)
def test_keeps_the_path_alone_of_a_target(target, path):
    assert one("nginx-combined", NGINX % (b"-", b"GET %b HTTP/1.1" % target, b""))["path"] == path


TOKEN = b"credential:0123456789abcdef"


@pytest.mark.parametrize("name", [b"api_key", b"apiKey", b"key", b"access_token", b"token"])
def test_takes_a_credential_in_the_query_string_for_the_key(name):
    line = NGINX % (b"jo", b"GET /a?x=1&%b=%b&y HTTP/1.1" % (name, TOKEN), b"")
    event = one("nginx-combined", line)
    assert (event["key"], event["path"]) == (TOKEN.decode(), "/a")


def test_does_not_take_any_other_value_for_a_key():
    line = NGINX % (b"-", b"GET /a?key=name&monkey=%b HTTP/1.1" % TOKEN, b"")
    assert one("nginx-combined", line)["key"] == ""


def test_takes_the_logged_key_before_the_user():
    assert one("nginx-combined", NGINX % (b"jo", b"GET / HTTP/1.1", b""))["key"] == "jo"
    line = NGINX % (b"jo", b"GET / HTTP/1.1", b' "-" "key_a"')
    assert one("nginx-combined", line)["key"] == "key_a"


def test_reads_users_with_blanks_and_brackets():
    line = NGINX % (b"jo [x] doe", b"GET / HTTP/1.1", b"")
    assert one("apache-combined", line)["key"] == "jo [x] doe"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.1, 198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("198.51.100.7", "203.0.113.1", "198.51.100.7"),
        ("10.0.0.1", "-", "10.0.0.1"),
        ("10.0.0.1", "unknown, 10.2.2.2", "10.2.2.2"),
        ("10.0.0.1", "[2001:db8::1%eth0]:443", "2001:db8::1"),
        ("::ffff:10.0.0.1", "198.51.100.7:80", "198.51.100.7"),
    ],
)
def test_believes_the_forwarded_address_only_behind_a_listed_proxy(peer, forwarded, client):
    line = NGINX.replace(b"192.0.2.1", peer.encode()) % (
        b"-",
        b"GET / HTTP/1.1",
        b' "%b"' % forwarded.encode(),
    )
    assert one("nginx-combined", line, proxies=["10.0.0.0/8"])["ip"] == client
    assert one("nginx-combined", line)["ip"] == peer.removeprefix("::ffff:")


@pytest.mark.parametrize(
    ("logged", "ip"),
    [
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("host.example", ""),
        ("unix:", ""),
        ("999.1.1.1", ""),
        ("1" * 500, ""),
    ],
)
def test_gives_addresses_in_their_canonical_form(logged, ip):
    line = b'{"time_iso8601":"2025-01-01T00:00:00Z","remote_addr":"%b"}' % logged.encode()
    assert one("nginx-json", line)["ip"] == ip


def json_line(**fields):
    inside = ",".join(f'"{name}":{value}' for name, value in fields.items())
    return f'{{"time_iso8601":"2025-11-03T09:12:44+05:30",{inside}}}'.encode()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"remote_addr":"192.0.2.1"}', "time_iso8601: not an RFC 3339 time with an offset"),
        (json_line(status='"abc"'), "status: not a status from 0 to 999"),
        (json_line(status="1000"), "status: not a status from 0 to 999"),
        (json_line(body_bytes_sent="-1"), "body_bytes_sent: not a number of bytes"),
        (json_line(body_bytes_sent="99999999999999999999"), "body_bytes_sent: not a number"),
        (json_line(remote_addr="[]"), "remote_addr: expected `str`, got `array`"),
        (json_line(api_key_id='"\\u0007"'), "api_key_id: not a printable key"),
        (json_line(api_key_id='"' + "k" * 257 + '"'), "api_key_id: not a printable key"),
        (json_line(msec='"nan"'), "time_iso8601: not"),
        (b'{"time_iso8601":', "line: not JSON"),
        (b"[1,2]", "line: expected `object`, got `array`"),
        (b'{"x":' * 20_000, "line: nested too deeply"),
    ],
)
def test_says_which_field_of_json_is_wrong_and_why(line, said):
    assert reason("nginx-json", line).startswith(said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"GET /", "remote_user: missing or malformed"),
        (b'192.0.2.1 - - [now] "GET /" 200 5 "-" "a"', "time_local: missing or malformed"),
        (
            b'192.0.2.1 - - [03/Nov/2025:25:12:44 +0100] "GET /" 200 5 "-" "a"',
            "time_local: not a time like 31/Dec/2025:23:59:59 +0000",
        ),
        (
            b'192.0.2.1 - - [03/Nov/2025:09:12:44 +0100] "GET /" OK 5 "-" "a"',
            "status: missing or malformed",
        ),
        (
            b'192.0.2.1 - - [03/Nov/2025:09:12:44 +0100] "GET /" 200 5 "-" "a',
            "http_user_agent: missing or malformed",
        ),
        (NGINX % (b"-", b"GET /", b" more"), "line: goes on after api_key_id"),
    ],
)
def test_says_which_field_of_text_is_wrong_and_why(line, said):
    assert reason("nginx-combined", line) == said


def test_a_client_cannot_have_its_line_refused_with_bytes_that_are_no_text():
    line = json_line(http_user_agent='"caf\\ud800"').replace(b"caf", b"caf\xe9")
    assert one("nginx-json", line)["agent"].startswith("caf")
    assert one("nginx-combined", NGINX.replace(b'"a"', b'"\xe9"') % (b"-", b"GET /", b""))[
        "agent"
    ] == (r"\xe9")


def test_reads_text_quickly_whatever_it_is():
    hostile = b"192.0.2.1 - " + b" [" * 200_000
    assert reason("nginx-combined", hostile) == "time_local: missing or malformed"


def test_a_record_with_line_feeds_is_one_line():
    sample = formats.find("nginx-combined").samples[0]
    parsed = formats.find("nginx-combined").parse([sample, b"a\nb", sample])
    assert list(parsed.line) == [0, 2]


def test_maps_errors_of_cloudtrail_to_statuses():
    def status(code):
        error = f',"errorCode":"{code}"' if code else ""
        return one("cloudtrail", f'{{"eventTime":"2025-01-01T00:00:00Z"{error}}}'.encode())[
            "status"
        ]

    assert [status(code) for code in ("", "AccessDenied", "InvalidClientTokenId", "NoSuchKey")] == [
        200,
        403,
        401,
        400,
    ]


def test_a_service_of_aws_is_no_client_address():
    line = b'{"eventTime":"2025-01-01T00:00:00Z","sourceIPAddress":"health.amazonaws.com"}'
    assert one("cloudtrail", line)["ip"] == ""


@pytest.mark.parametrize("name", ["nginx-combined", "apache-combined", "apache-common"])
def test_a_half_line_lends_its_address_to_no_key_of_the_line_that_is_glued_to_it(name):
    """As a crash or a full disk leaves it: nobody was there, whatever the halves say."""
    log_format = formats.find(name)
    for whole in log_format.samples:
        begin = whole.index(b'"') + 1
        for end in range(begin, len(whole), 7):
            parsed = log_format.parse([whole[:end] + whole])
            assert (len(parsed), [line for line, _ in parsed.rejected]) == (0, [0])


def test_a_half_line_of_haproxy_lends_nothing_to_the_line_that_is_glued_to_it():
    log_format = formats.find("haproxy")
    whole = log_format.samples[0]
    other = whole.replace(b"198.51.100.23", b"192.0.2.99").replace(b"key_a", b"key_z")
    for end in range(len(whole)):
        parsed = log_format.parse([whole[:end] + other])
        told = list(zip(parsed.ip, parsed.key, strict=True))
        assert told == [("192.0.2.99", "key_zbcdefgh234567ab")] * (end == 0)


@pytest.mark.parametrize(
    "user", ['""', 'a\\"b', "jo [x] y", "-", "a\\\\", "[03/Nov/2025:09:12:44 +0000]"]
)
def test_a_user_may_be_called_what_servers_can_write(user):
    line = f'192.0.2.1 - {user} [03/Nov/2025:09:12:44 +0000] "GET / HTTP/1.1" 200 5'
    parsed = formats.find("apache-common").parse([line.encode()])
    assert (len(parsed), parsed.rejected) == (1, [])
