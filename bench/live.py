"""What benches of a running keywatch share: a line of its log, and a policy whose brakes are off."""

import json
from datetime import UTC, datetime

UNBRAKED = """
[guards]
revocations_per_hour = 1000000
breaker_keys = 1000000
breaker_share = 1.0
breaker_traffic = 1.0
revoked_traffic = 1.0
[[case]]
kind = ["{kind}"]
action = "revoke"
notify = [{notify}]
[[case]]
"""


def unbraked(kind: str, notify: str = "") -> str:
    """Return a policy that revokes the key of every alert of a kind, however many there are.

    Args:
        kind: of alerts.
        notify: name of who is told, if anybody.
    """
    return UNBRAKED.format(kind=kind, notify=f'"{notify}"' if notify else "")


def line(key_id: str, target: str, address: str) -> bytes:
    """Return a line of an access log in nginx' JSON, of now."""
    fields = {
        "time_iso8601": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "remote_addr": address,
        "request": f"GET {target} HTTP/1.1",
        "status": 200,
        "body_bytes_sent": 512,
        "http_user_agent": "bench/1.0",
        "api_key_id": key_id,
    }
    return json.dumps(fields).encode() + b"\n"
