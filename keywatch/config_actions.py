"""The part of the configuration that says what may be done, and who is told."""

from typing import Annotated

from msgspec import Meta

from keywatch.config_table import Table


class ActionSettings(Table, frozen=True):
    """What keywatch may do by itself."""

    enabled: Annotated[
        tuple[Annotated[str, Meta(pattern="^(throttle|suspend|rotate|reissue|revoke)$")], ...],
        Meta(
            description="actions that are carried out: throttle, suspend, rotate, reissue, revoke"
        ),
    ] = ()
    policy: Annotated[str, Meta(description="policy file; empty for the built-in one")] = ""
    hook: Annotated[
        str, Meta(description="file.py:function that has a say in each decision; empty for none")
    ] = ""


class NotifierSettings(Table, frozen=True):
    """Somebody who is told."""

    name: Annotated[str, Meta(description="how the policy calls it")] = "security"
    type: Annotated[
        str,
        Meta(
            description="log, webhook, email, slack, pagerduty, github, syslog, ocsf, ecs, "
            "cloudevents or apprise"
        ),
    ] = "log"
    url: Annotated[
        str,
        Meta(
            description="where to: https://…, smtp://host:587, udp://host:514, file:///path, "
            "kafka://host:port/topic; empty where the type knows it",
            extra={"hook": True},
        ),
    ] = ""
    secret: Annotated[
        str,
        Meta(
            description="what only this receiver may know: whsec_…, token, routing key, password, "
            "Authorization header, or address of Apprise",
            extra={"secret": True},
        ),
    ] = ""
    to: Annotated[
        tuple[str, ...], Meta(description="email: recipients; none for the owner of the key")
    ] = ()
    sender: Annotated[str, Meta(description="email: from whom")] = ""
    username: Annotated[str, Meta(description="email: to log in with; empty for no login")] = ""
    channel: Annotated[str, Meta(description="slack: id of the channel")] = ""
    repository: Annotated[str, Meta(description="github: owner/name for issues")] = ""
    audience: Annotated[
        str,
        Meta(
            pattern="^(|owner|security)$",
            description="owner or security: which template; empty for what the name says",
        ),
    ] = ""
    template: Annotated[str, Meta(description="file in place of the built-in template")] = ""
    link: Annotated[
        str, Meta(description="page for a new key or the incident; with $key, $incident")
    ] = ""
    quiet: Annotated[str, Meta(description="hours in which only what is urgent is told")] = ""
    tz: Annotated[str, Meta(description="whose hours these are, such as Europe/Berlin")] = "UTC"
    digest: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]+ ?[smhdw])?$",
            description="for how long what is not urgent is gathered, such as 1h",
        ),
    ] = ""
    per_hour: Annotated[
        int, Meta(ge=0, description="more messages an hour than this become one; 0 for no limit")
    ] = 0
    urgent: Annotated[
        str,
        Meta(
            pattern="^(low|medium|high|critical)$",
            description="from this severity on nothing waits",
        ),
    ] = "critical"
    keys: Annotated[
        tuple[str, ...],
        Meta(description="what is told of keys too: rotate, close_grace, revoke, …; * for all"),
    ] = ()
