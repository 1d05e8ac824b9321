import json

import pytest

from gateway.access import Access, event_of, line_of
from gateway.cleaned import Cleaned
from keystore.scheme import KeyScheme
from scanner.redact import Redactor
from scanner.rules import load_rules
from vocabulary.exposed import exposures_in, told

KEY = KeyScheme().generate("live")
GIVEN = {
    "target": f"/v1/{KEY}/x?y={KEY}".encode(),
    "agent": f'app "{KEY}"'.encode(),
    "method": f"GET-{KEY}",
    "ip": KEY,
    "request_id": KEY,
    "key_id": f"issuer:{KEY}",
}


@pytest.fixture(scope="module")
def redact():
    return Redactor(load_rules()).clean


def access(**changed):
    fields = {"at": 1.0, "ip": "192.0.2.1", "method": "GET", "target": b"/v1", "version": "1.1"}
    fields |= {"status": 200, "size": 2, "agent": b"app", "request_id": "r-1", "key_id": "key_a"}
    return Access(**fields | changed, is_given=True)


@pytest.mark.parametrize("write", [line_of, event_of])
@pytest.mark.parametrize("field", list(GIVEN))
def test_whatever_others_chose_is_cleaned_and_said_in_the_line(redact, field, write):
    accesses = [access(), access(**{field: GIVEN[field]}), access()]
    lines = [told(write(one), exposed) for one, exposed in Cleaned(redact).of(accesses)]
    assert [one.line for one in exposures_in(lines)] == [1] * len(exposures_in(lines))
    assert len(exposures_in(lines)) >= 1
    assert KEY.encode() not in b"".join(lines)
    assert lines[0] == lines[2] == write(access())
    assert all(json.loads(line) for line in lines)


def test_a_secret_is_found_again_and_again_and_harmless_text_is_looked_at_once(redact):
    seen = []

    def clean(texts):
        seen.append(list(texts))
        return redact(texts)

    cleaned = Cleaned(clean)
    for _ in range(3):
        ((one, exposed),) = cleaned.of([access(agent=KEY.encode())])
        assert KEY.encode() not in one.agent
        assert exposed
    assert seen == [
        [b"/v1", KEY.encode(), b"GET", b"192.0.2.1", b"r-1"],
        [KEY.encode()],
        [KEY.encode()],
    ]


def test_no_text_of_a_sender_can_say_that_a_secret_was_exposed(redact):
    forged = told(b'{"a":1}', redact([KEY.encode()])[1]).replace(b"credential:", b"credentia1:")
    assert exposures_in([forged])
    ((one, exposed),) = Cleaned(redact).of([access(agent=forged)])
    assert (one.agent, exposed) == (forged, ())
    assert not exposures_in([told(line_of(one), exposed)])


def test_what_is_invented_does_not_fill_memory():
    cleaned = Cleaned(lambda texts: (texts, []))
    for start in range(0, 50_000, 500):
        list(
            cleaned.of(
                [access(target=b"/%d" % n, agent=b"a" * 600) for n in range(start, start + 500)]
            )
        )
    assert len(cleaned._harmless) < 10_000
    assert all(len(text) <= 512 for text in cleaned._harmless)
