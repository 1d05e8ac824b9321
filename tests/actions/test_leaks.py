import pytest

from actions.leaks import alert_of, epoch_s
from tests.actions.desk import START
from vocabulary.alert import alert_json
from vocabulary.credential import KnownKey, credential_of
from vocabulary.finding import Finding, Verdict

SECRET = "_".join(["sk", "live", "x" * 43])


def finding(store="live", severity="high", count=1, **other):
    return Finding(
        **(
            {
                "rule": "keywatch-key",
                "name": "keywatch key",
                "severity": severity,
                "confidence": "high",
                "path": "src/settings.py",
                "line": 3,
                "column": 9,
                "end_line": 3,
                "commit": "c" * 40,
                "blob": "b" * 40,
                "author": "ann",
                "date": "2025-06-01T00:00:00Z",
                "places": (),
                "count": count,
                "secret": "sk_live_[REDACTED]",
                "fingerprint": "f",
                "verdict": Verdict(store),
                "key_id": "" if store == "unknown" else "key_a",
                "key_state": "active",
                "environment": "live",
                "reasons": (),
                "decoding": (),
                "source": "git",
                "tags": (),
                "credential": credential_of(SECRET),
            }
            | other
        )
    )


@pytest.mark.parametrize(
    ("store", "severity"),
    [
        ("live", "critical"),
        ("deprecated", "critical"),
        ("suspended", "high"),
        ("test", "medium"),
        ("expired", "low"),
        ("revoked", "low"),
    ],
)
def test_what_the_key_store_proves_decides(store, severity):
    assert alert_of(finding(store), START).severity == severity


@pytest.mark.parametrize(("said", "severity"), [("low", "low"), ("critical", "high")])
def test_what_nobody_can_prove_is_not_critical(said, severity):
    alert = alert_of(finding("unknown", said), START)
    assert alert.severity == severity
    assert alert.key.startswith("credential:")


def test_a_publishable_key_is_no_secret():
    key = KnownKey("key_a", "active", "live", "live", publishable=True)
    assert alert_of(finding(), START, key).severity == "low"


def test_the_same_leak_is_the_same_alert_whenever_it_is_found():
    assert alert_of(finding(), START).id == alert_of(finding(), START + 1e6).id
    assert alert_of(finding(), START).id != alert_of(finding("revoked"), START).id
    assert alert_of(finding(), START).id != alert_of(finding(fingerprint="g"), START).id


def test_a_leak_tells_where_and_never_what():
    alert = alert_of(finding(count=3), START)
    assert "src/settings.py:3 at commit cccccccccccc" in alert.summary
    assert "2 more places" in alert.summary
    assert (alert.kind, alert.family, alert.key) == ("leak", "leak", "key_a")
    assert epoch_s(alert.ts) == START
    assert SECRET.encode() not in alert_json(alert)


def test_what_is_no_time_is_zero():
    assert epoch_s("yesterday") == 0.0
