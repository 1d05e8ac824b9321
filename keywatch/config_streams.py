"""The part of the configuration that says where events come from."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, field

from keywatch.config_table import Table

if TYPE_CHECKING:
    from streams.parsed import Shape


class SourceSettings(Table, frozen=True):
    """One stream of events."""

    type: Annotated[
        str,
        Meta(
            pattern="^(file|stdin|http|syslog|objects|kafka)$",
            description="file, stdin, http, syslog, objects or kafka",
        ),
    ] = "file"
    path: Annotated[
        str,
        Meta(
            description="file: its path, or a pattern such as /var/log/*.log; objects: a folder, or s3://…"
        ),
    ] = ""
    format: Annotated[str, Meta(description="format of the lines; see `keywatch doctor`")] = (
        "nginx-json"
    )
    layout: Annotated[
        str, Meta(description="the server's own format string, where the format takes one")
    ] = ""
    fields: Annotated[
        dict[str, str],
        Meta(description="column (key, ip, …) → the field that holds it, or a path into JSON"),
    ] = field(default_factory=dict)
    pattern: Annotated[str, Meta(description="custom-regex: with named groups")] = ""
    time: Annotated[
        str, Meta(description="how times are written: rfc3339, epoch_ms, %d/%m/%Y …, any")
    ] = ""
    lateness_s: Annotated[
        float,
        Meta(
            ge=0,
            description="how far behind its key's newest event one may come and still count, in "
            "seconds; 0 for the format's own, 600, of cloudtrail 1800",
        ),
    ] = 0.0
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="CIDR of proxies whose X-Forwarded-For is believed")
    ] = ()
    listen: Annotated[
        str, Meta(description="http, syslog: where, such as 127.0.0.1:8791 or udp://127.0.0.1:5514")
    ] = ""
    tokens: Annotated[
        tuple[str, ...],
        Meta(description="http: who shows one of these may post", extra={"secret": True}),
    ] = ()
    suffix: Annotated[str, Meta(description="objects: how their names end")] = ""
    region: Annotated[str, Meta(description="objects: AWS region; empty for the environment's")] = (
        ""
    )
    endpoint: Annotated[str, Meta(description="objects: URL of what speaks S3; empty for AWS")] = ""
    topic: Annotated[str, Meta(description="kafka: the topic")] = ""
    group: Annotated[str, Meta(description="kafka: consumer group, the topic is added")] = (
        "keywatch"
    )
    brokers: Annotated[tuple[str, ...], Meta(description="kafka: host:port of brokers")] = ()
    instance: Annotated[
        str,
        Meta(description="kafka: name of this worker, which keeps its partitions over a restart"),
    ] = ""
    options: Annotated[
        dict[str, str],
        Meta(
            description="kafka: security_protocol, ssl_cafile, sasl_mechanism, …",
            extra={"secret": True},
        ),
    ] = field(default_factory=dict)
    events: Annotated[
        str, Meta(pattern="^(access|repository)$", description="access or repository")
    ] = "access"

    @property
    def shape(self) -> "Shape":
        """How the log is written, where not as its format has it by default."""
        from streams.parsed import Shape  # noqa: PLC0415  (few commands ask)

        return Shape(self.layout, self.fields, self.pattern, self.time)


class PublishSettings(Table, frozen=True):
    """What is sent to topics of Kafka."""

    brokers: Annotated[
        tuple[str, ...], Meta(description="host:port of brokers; none for none")
    ] = ()
    alerts: Annotated[str, Meta(description="topic of alerts; empty for none")] = ""
    dead_letters: Annotated[str, Meta(description="topic of dead letters; empty for none")] = ""
    options: Annotated[
        dict[str, str],
        Meta(description="security_protocol, sasl_mechanism, …", extra={"secret": True}),
    ] = field(default_factory=dict)


class RepositorySettings(Table, frozen=True):
    """Events of repositories."""

    github_secret: Annotated[
        str, Meta(description="secret of the GitHub webhook", extra={"secret": True})
    ] = ""
    gitlab_secret: Annotated[
        str, Meta(description="secret token of the GitLab webhook", extra={"secret": True})
    ] = ""
    gitea_secret: Annotated[
        str, Meta(description="secret of the Gitea or Forgejo webhook", extra={"secret": True})
    ] = ""
    bitbucket_secret: Annotated[
        str, Meta(description="secret of the Bitbucket webhook", extra={"secret": True})
    ] = ""
    partner_alerts: Annotated[
        bool, Meta(description="take in GitHub's secret-scanning partner alerts (/alerts/github)")
    ] = False
    partner_keys: Annotated[
        str, Meta(description="where the keys are that sign those; empty for GitHub's own place")
    ] = ""
    report_tokens: Annotated[
        tuple[str, ...],
        Meta(description="who shows one may report leaks on /leaks", extra={"secret": True}),
    ] = ()
    cache: Annotated[str, Meta(description="folder for clones; empty for the user's cache")] = ""
    host: Annotated[str, Meta(description="address on which `watch` takes in webhooks")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, le=65535, description="its port; 0 for none")] = 0
    poll: Annotated[
        tuple[str, ...], Meta(description="addresses of repositories that are looked at by `watch`")
    ] = ()
    organisations: Annotated[
        tuple[str, ...],
        Meta(description="whose repositories are, too: github:acme, gitlab:group/subgroup"),
    ] = ()
    poll_requests: Annotated[
        int,
        Meta(
            ge=0,
            description="how many pull or merge requests of each, the newest, are looked at, too: "
            "commits of forks, which stand in no branch; 0 for none",
        ),
    ] = 20
    kept_days: Annotated[
        int, Meta(ge=1, description="days for which pushes that were dealt with are remembered")
    ] = 90
    poll_s: Annotated[float, Meta(ge=10, description="seconds between two looks")] = 300.0
    public_events: Annotated[
        tuple[str, ...],
        Meta(description="whose public pushes on GitHub are scanned, too: users/ann, orgs/acme"),
    ] = ()
    public_search: Annotated[
        tuple[str, ...],
        Meta(
            description="beginnings of your keys, such as acme_live_, that GitHub's code search is "
            "asked for (github_token)"
        ),
    ] = ()
    github_api: Annotated[str, Meta(description="its URL")] = "https://api.github.com"
    github_token: Annotated[
        str, Meta(description="lists private repositories", extra={"secret": True})
    ] = ""
    github_checks: Annotated[
        bool, Meta(description="write what a scan of a push came to as a check run on its commit")
    ] = False
    github_app: Annotated[
        str, Meta(description="id of the GitHub App that writes them; empty for github_token")
    ] = ""
    github_app_key: Annotated[str, Meta(description="file with its private key (PEM)")] = ""
    gitlab_api: Annotated[str, Meta(description="its URL")] = "https://gitlab.com/api/v4"
    gitlab_token: Annotated[
        str, Meta(description="lists private projects", extra={"secret": True})
    ] = ""
    local_roots: Annotated[
        tuple[str, ...], Meta(description="folders whose repositories may be named by path")
    ] = ()
