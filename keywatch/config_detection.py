"""The part of the configuration that is about looking: in repositories, and at events."""

from typing import Annotated

from msgspec import Meta, field

from keywatch.config_table import Table


class ScanSettings(Table, frozen=True):
    """How repositories and files are scanned."""

    rules: Annotated[
        tuple[str, ...], Meta(description="further rule files; they add to ours or replace them")
    ] = ()
    disabled: Annotated[tuple[str, ...], Meta(description="ids of rules left out")] = ()
    confidence: Annotated[
        str, Meta(pattern="^(low|medium|high)$", description="what is shown: low, medium or high")
    ] = "medium"
    ignore: Annotated[
        str, Meta(description="file of ignored findings; empty for ignore.toml of the user")
    ] = ""
    fingerprint_key: Annotated[
        str,
        Meta(
            description="key for fingerprints; empty for the repository's own",
            extra={"secret": True},
        ),
    ] = ""


class WatchSettings(Table, frozen=True):
    """How logs are watched."""

    chunk_lines: Annotated[
        int, Meta(ge=1, le=1_000_000, description="lines that are committed together, at most")
    ] = 50_000
    sensitivity: Annotated[
        dict[str, float],
        Meta(
            description="class, key id or * → how much sooner it is alerted about, in -log10 p; "
            "negative for later"
        ),
    ] = field(default_factory=dict)
    max_outbox: Annotated[
        int,
        Meta(ge=0, description="effects that may wait before sources are read no further; 0: any"),
    ] = 10_000
    max_dead_letters: Annotated[
        int,
        Meta(
            ge=0,
            description="dead letters that are kept; beyond it the oldest of whichever source has "
            "most are dropped, and counted; 0: any number",
        ),
    ] = 100_000
    profiles_in_memory: Annotated[
        int,
        Meta(
            ge=1000,
            description="keys whose profiles are held in memory, 4 KB each; those used longest "
            "ago wait in the database",
        ),
    ] = 1_000_000
    shared: Annotated[
        bool,
        Meta(
            description="several workers share the topic, whose records are keyed by key id: "
            "profiles go with its partitions"
        ),
    ] = False
    model: Annotated[
        str, Meta(description="model of sessions, from `keywatch model train`; empty for none")
    ] = ""


class GeoipSettings(Table, frozen=True):
    """Where addresses are; without files a built-in table of countries serves."""

    city: Annotated[str, Meta(description="MaxMind or DB-IP city or country file (.mmdb)")] = ""
    asn: Annotated[str, Meta(description="MaxMind or DB-IP ASN file (.mmdb)")] = ""
