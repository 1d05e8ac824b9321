"""Write the Grafana dashboard: python deploy/grafana/make.py > deploy/grafana/keywatch.json."""

import json
import sys

SOURCE = {"type": "prometheus", "uid": "${source}"}
PANELS = (
    ("stat", "Critical incidents open", 'keywatch_incidents_open{severity="critical"}', "", "short"),
    ("stat", "Actions held", 'keywatch_outbox_rows{state="held"}', "", "short"),
    ("stat", "Given up", 'keywatch_outbox_rows{state="dead"}', "", "short"),
    ("stat", "Lock-out, 95 %", 'keywatch_lockout_seconds{quantile="0.95"}', "", "s"),
    ("timeseries", "Alerts an hour", "sum by (severity) (increase(keywatch_alerts_total[1h]))", "{{severity}}", "short"),
    ("timeseries", "Events a second", "sum by (result) (rate(keywatch_events_total[5m]))", "{{result}}", "ops"),
    ("timeseries", "Behind", "keywatch_lag_seconds", "lag", "s"),
    ("timeseries", "Since the last commit", "keywatch_source_age_seconds", "{{source}}", "s"),
    ("timeseries", "Behind, by source", "keywatch_source_lag_seconds", "{{source}}", "s"),
    ("timeseries", "Waits: bytes or records", "keywatch_source_behind", "{{source}}", "short"),
    ("timeseries", "Events a second, by source", "keywatch_source_events_per_second", "{{source}}", "ops"),
    ("timeseries", "Watermarks: age", "time() - keywatch_source_watermark_seconds", "{{source}}", "s"),
    ("timeseries", "Dead letters, by source", "keywatch_source_dead_letters", "{{source}}", "short"),
    ("timeseries", "Requests at the gateway", "sum by (outcome) (rate(keywatch_gateway_requests_total[5m]))", "{{outcome}}", "reqps"),
    ("timeseries", "Canary: suspension to refusal, 95 %", "histogram_quantile(0.95, sum by (le) (rate(keywatch_gateway_lockout_seconds_bucket[15m])))", "p95", "s"),
    ("timeseries", "Evidence to lock-out", "keywatch_evidence_to_lockout_seconds", "{{quantile}}", "s"),
    ("timeseries", "Dead letters", "keywatch_dead_letters", "lines", "short"),
    ("timeseries", "Turned away an hour", "sum by (door, status) (increase(keywatch_intake_refused_total[1h]))", "{{door}} {{status}}", "short"),
    ("timeseries", "Too late, an hour, by source", "increase(keywatch_source_late_events[1h])", "{{source}}", "short"),
    ("timeseries", "Posted again an hour", "increase(keywatch_intake_known_total[1h])", "{{door}}", "short"),
    ("timeseries", "Keys", "keywatch_keys", "keys", "short"),
)  # fmt: skip


def panel(number: int, kind: str, title: str, expr: str, legend: str, unit: str) -> dict:
    """Return one panel: four stats in a row, then two charts a row."""
    stats = 4
    place = (
        {"x": 6 * number, "y": 0, "w": 6, "h": 4}
        if number < stats
        else {"x": 12 * (number % 2), "y": 4 + 8 * ((number - stats) // 2), "w": 12, "h": 8}
    )
    return {
        "id": number + 1,
        "type": kind,
        "title": title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": "A", "datasource": SOURCE, "expr": expr, "legendFormat": legend}],
    }


def dashboard() -> dict:
    """Return the dashboard."""
    return {
        "uid": "keywatch",
        "title": "keywatch",
        "tags": ["keywatch"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "source",
                    "type": "datasource",
                    "query": "prometheus",
                    "label": "Prometheus",
                }
            ]
        },
        "panels": [panel(i, *one) for i, one in enumerate(PANELS)],
    }


if __name__ == "__main__":
    json.dump(dashboard(), sys.stdout, indent=1)
    sys.stdout.write("\n")
