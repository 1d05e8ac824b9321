"""Configuration: keywatch.toml, then KEYWATCH_… of the environment, then flags; the last wins.

The tree below is the whole of it. `config init`, `config show` and docs/reference are made from
its names, types, defaults and descriptions.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta

from keywatch.config_actions import ActionSettings, NotifierSettings
from keywatch.config_console import ConsoleSettings, TelemetrySettings
from keywatch.config_detection import GeoipSettings, ScanSettings, WatchSettings
from keywatch.config_gateway import GatewaySettings
from keywatch.config_keys import IssuerSettings, KeySettings, StoreSettings
from keywatch.config_streams import PublishSettings, RepositorySettings, SourceSettings
from keywatch.config_table import Table
from keywatch.places import DEFAULT_DATABASE, DEFAULT_FILE
from vocabulary.errors import ConfigError


class Settings(Table, frozen=True):
    """The whole configuration."""

    database: Annotated[str, Meta(description="URL of the one database")] = (
        f"sqlite:///{DEFAULT_DATABASE}"
    )
    keys: KeySettings = KeySettings()
    scan: ScanSettings = ScanSettings()
    sources: tuple[SourceSettings, ...] = ()
    watch: WatchSettings = WatchSettings()
    geoip: GeoipSettings = GeoipSettings()
    actions: ActionSettings = ActionSettings()
    notify: tuple[NotifierSettings, ...] = (NotifierSettings(),)
    gateway: GatewaySettings = GatewaySettings()
    issuers: tuple[IssuerSettings, ...] = ()
    stores: tuple[StoreSettings, ...] = ()
    repositories: RepositorySettings = RepositorySettings()
    publish: PublishSettings = PublishSettings()
    console: ConsoleSettings = ConsoleSettings()
    telemetry: TelemetrySettings = TelemetrySettings()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry of the tree: where it is, its type, its default, what it means."""

    address: tuple[str, ...]
    type: Any
    default: Any
    description: str
    secret: bool
    hook: bool = False

    @property
    def variable(self) -> str:
        """The name of the environment variable that sets it."""
        return "KEYWATCH_" + "_".join(self.address).upper()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The effective settings, and where each value that is no default came from."""

    settings: Settings
    origins: Mapping[tuple[str, ...], str]


def load(
    file: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """Put the three sources together.

    Args:
        file: a path; None for keywatch.toml of the current directory, if it is there.
        environ: the environment; None for the process's.
        flags: dotted entry → value.

    Raises:
        ConfigError: for any entry that is unknown or wrong, with where it stands.
    """
    tree, origins = _from_file(file)
    for leaf, text in _from_environment(os.environ if environ is None else environ):
        _put(tree, leaf.address, _converted(leaf, text))
        origins[leaf.address] = leaf.variable
    for entry, value in (flags or {}).items():
        _put(tree, tuple(entry.split(".")), value)
        origins[tuple(entry.split("."))] = f"--{entry.split('.')[-1]}"
    return Loaded(msgspec.convert(tree, Settings), origins)


def leaves(kind: type[msgspec.Struct] = Settings, above: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Yield every single entry of the tree; arrays of tables are one entry."""
    for field in msgspec.structs.fields(kind):
        inner = _plain(field.type)
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from leaves(inner, (*above, field.name))
        else:
            meta = _meta(field.type)
            extra = (meta.extra or {}) if meta else {}
            default = (
                field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
            )
            yield Leaf(
                (*above, field.name),
                inner,
                default,
                (meta.description or "") if meta else "",
                bool(extra.get("secret")),
                bool(extra.get("hook")),
            )


def tables(kind: object) -> type[msgspec.Struct] | None:
    """Return the struct of an array of tables, None for any other entry."""
    inner = [arg for arg in get_args(kind) if isinstance(arg, type)]
    return next((arg for arg in inner if issubclass(arg, msgspec.Struct)), None)


def _from_file(file: str | None) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    path = Path(file or DEFAULT_FILE)
    if file is None and not path.exists():
        return {}, {}
    from vocabulary import toml  # noqa: PLC0415  (a scan without a configuration reads no TOML)

    text = toml.text_of(path)
    tree = toml.tree_of(text, str(path))
    lines = toml.lines_of(text)
    try:
        msgspec.convert(tree, Settings)
    except msgspec.ValidationError as error:
        raise toml.refusal(error, Settings, str(path), lines) from None
    known = {leaf.address for leaf in leaves()}
    origins = {
        address: f"{path}:{toml.nearest_line(lines, address)}"
        for address in known
        if _has(tree, address)
    }
    return tree, origins


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[Leaf, str]]:
    known = {leaf.variable: leaf for leaf in leaves() if tables(leaf.type) is None}
    for name, text in environ.items():
        if name in known:
            yield known[name], text
        elif name.startswith("KEYWATCH_"):
            near = get_close_matches(name, known, 1, 0.5)
            raise ConfigError(
                "there is no such setting",
                where=name,
                remedy=f"did you mean {near[0]}?" if near else "see `keywatch config show`",
            )


def _converted(leaf: Leaf, text: str) -> Any:  # noqa: ANN401
    value: Any = text
    if get_origin(leaf.type) is tuple:
        value = [part.strip() for part in text.split(",") if part.strip()]
    elif get_origin(leaf.type) is dict:
        value = dict(part.split("=", 1) for part in text.split(",") if "=" in part)
    try:
        return msgspec.to_builtins(msgspec.convert(value, leaf.type, strict=False))
    except msgspec.ValidationError as error:
        from vocabulary import toml  # noqa: PLC0415  (as in _from_file)

        raise ConfigError(toml.in_words(str(error)), where=leaf.variable) from None


def _put(tree: dict[str, Any], address: tuple[str, ...], value: Any) -> None:  # noqa: ANN401
    for name in address[:-1]:
        tree = tree.setdefault(name, {})
    tree[address[-1]] = value


def _has(tree: Any, address: tuple[str, ...]) -> bool:  # noqa: ANN401
    for name in address:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def _plain(kind: Any) -> Any:  # noqa: ANN401
    """Return the type without its description, so that constraints on values stay."""
    return kind if get_origin(kind) in (tuple, dict, UnionType) else _unwrapped(kind)


def _unwrapped(kind: Any) -> Any:  # noqa: ANN401
    meta = _meta(kind)
    if meta is None:
        return kind
    bare = get_args(kind)[0]
    constrained = any((meta.ge is not None, meta.le is not None, meta.pattern))
    return kind if constrained else bare


def _meta(kind: Any) -> Meta | None:  # noqa: ANN401
    return next((arg for arg in get_args(kind) if isinstance(arg, Meta)), None)
