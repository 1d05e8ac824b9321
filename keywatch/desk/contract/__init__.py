"""The JSON contract of the API, which the console reads too: one file a matter."""

from keywatch.desk.contract.asked import (
    Closing,
    Done,
    Force,
    Judgement,
    Note,
    Reason,
    Rotated,
    Rotation,
    Suspend,
    Throttle,
)
from keywatch.desk.contract.incidents import (
    Action,
    ActionDetail,
    Alert,
    AlertDetail,
    Evidence,
    Exposure,
    ForeignNetwork,
    Incident,
    IncidentDetail,
    Moment,
)
from keywatch.desk.contract.keys import Budget, Key, Use
from keywatch.desk.contract.leaks import Finding, FindingDetail, LeakPlace
from keywatch.desk.contract.people import Account, NewRole, Token
from keywatch.desk.contract.shared import (
    ACTION_STATES,
    INCIDENT_STATES,
    KEY_STATES,
    SEVERITIES,
    Me,
    Page,
)
from keywatch.desk.contract.standing import (
    AuditRow,
    Case,
    Coverage,
    Day,
    DeadLetter,
    LockOut,
    Overview,
    Policy,
    Source,
)

__all__ = [
    "ACTION_STATES", "INCIDENT_STATES", "KEY_STATES", "SEVERITIES", "Account", "Action",
    "ActionDetail", "Alert", "AlertDetail", "AuditRow", "Budget", "Case", "Closing", "Coverage",
    "Day", "DeadLetter", "Done", "Evidence", "Exposure", "Finding", "FindingDetail", "Force",
    "ForeignNetwork", "Incident", "IncidentDetail", "Judgement", "Key", "LeakPlace", "LockOut",
    "Me", "Moment", "NewRole", "Note", "Overview", "Page", "Policy", "Reason", "Rotated",
    "Rotation", "Source", "Suspend", "Throttle", "Token", "Use",
]  # fmt: skip
