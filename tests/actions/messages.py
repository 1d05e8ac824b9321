"""Messages as the outbox holds them, full of what attackers write into logs and paths."""

HOSTILE = (
    "<script>alert(1)</script> <!channel> <@U123> <http://evil.example|click> @everyone @admin "
    "*bold* _it_ `code` ```\nfence\n``` [x](http://evil.example) ![i](http://evil.example/i.png) "
    "\x1b[31m\x1b]0;title\x07 \u202eevil\u200b \r\nBcc: all@evil.example\r\n\r\nbody "
    "=HYPERLINK('http://evil.example') |pipe|cs1=forged msg=forged \\ %s {key} $key #1 \0 "
    "<!-- --> --> ]]> &amp; end"
)


def message(event="opened", number=1, severity="critical", **about):
    incident = {
        "id": f"inc_{number}",
        "severity": severity,
        "state": "open",
        "subject": "key_a",
        "summary": HOSTILE,
        "alerts": 2,
        "action": "revoke",
        "opened_at": "2025-06-15T15:06:40.000Z",
    } | about
    data = {"incident": incident, "key": {"id": "key_a", "owner": HOSTILE, "environment": "live"}}
    if event in {"opened", "updated"}:
        data["alert"] = {
            "id": "alert_1",
            "kind": "leak",
            "family": "leak",
            "summary": HOSTILE,
            "evidence": [{"detector": "scanner", "observed": HOSTILE, "expected": "", "p": 0.0}],
            "events": ["2025-06-15T15:00:00Z", "2025-06-15T15:06:40Z", 42],
            "key": "key_a",
        }
        data["decision"] = {
            "action": "revoke",
            "line": "policy.toml:68",
            "policy": "abc",
            "guard": "",
            "dry_run": False,
            "held": False,
            "duration_s": 0.0,
        }
    else:
        data |= {"by": HOSTILE, "note": HOSTILE}
    return {
        "type": f"incident.{event}",
        "timestamp": "2025-06-15T15:06:40.000Z",
        "data": data,
    }
