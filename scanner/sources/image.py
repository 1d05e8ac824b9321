"""Container images as `docker save`, `podman save` and `skopeo copy oci:` write them.

Sources: OCI Image Format Specification 1.1 (layout, manifest, configuration, layers and their
whiteouts); moby, "Docker Image Specification v1.2" (manifest.json).
"""

import io
import posixpath
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from scanner.archives.kinds import HEAD, kind_of
from scanner.archives.reading import Read

_JSON = 16 << 20
_MEMBERS = 10_000
"""An archive with more is no image: it is scanned as any archive, member by member."""
_NESTED = 3
_INDEXES = ("index.json", "manifest.json")
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


class Store:
    """The files of an image, in a tar archive or a folder; nothing outside is ever opened."""

    names: Sequence[str]

    def open(self, name: str) -> IO[bytes] | None:
        """Return a file that can be gone to and fro in; None where there is none."""
        raise NotImplementedError

    def json(self, name: str) -> Any:  # noqa: ANN401
        """Return a file's JSON; an empty object where it is none."""
        stream = self.open(name)
        if stream is None:
            return {}
        with stream:
            text = stream.read(_JSON)
        try:
            return msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return {}


class TarStore(Store):
    """An image in a tar archive.

    Attributes:
        whole: its files are all there is: not too many, and none under the name of another.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._archive = tarfile.open(  # noqa: SIM115  (as long as raw)
            fileobj=raw, mode="r:", ignore_zeros=True
        )
        self._members: dict[str, tarfile.TarInfo] = {}
        listed = iter(self._archive)
        files = 0
        for member in islice(listed, _MEMBERS):
            self._members[_plain(member.name)] = member
            files += member.isreg() or member.size > 0
        self.names = [name for name, member in self._members.items() if member.isreg()]
        self.whole = len(self.names) == files and next(listed, None) is None

    def open(self, name: str) -> IO[bytes] | None:
        """Return a file; an older `docker save` links layers that are the same."""
        name = _plain(name)
        member = self._members.get(name)
        if member is not None and (member.issym() or member.islnk()):
            folder = posixpath.dirname(name) if member.issym() else ""
            member = self._members.get(_plain(posixpath.join(folder, member.linkname)))
        if member is None or not member.isreg():
            return None
        return self._archive.extractfile(member)


class FolderStore(Store):
    """An image in an OCI layout."""

    def __init__(self, root: Path) -> None:
        self._root = root
        found = (file for file in root.rglob("*") if file.is_file() and not file.is_symlink())
        self.names = sorted(file.relative_to(root).as_posix() for file in found)

    def open(self, name: str) -> IO[bytes] | None:
        """Return a file."""
        return (self._root / name).open("rb") if name in self.names else None


def _plain(name: str) -> str:
    return posixpath.normpath(name).lstrip("/")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image.

    Attributes:
        file: its name in the store.
        digest: how the image names it.
        number: from 1.
        step: of the history, from 1; 0 where that does not tell.
        created: RFC 3339, or empty.
    """

    file: str
    digest: str
    number: int
    step: int = 0
    created: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a store: its layers, lowest first, and what its configuration says."""

    name: str
    config: str
    layers: tuple[Layer, ...]
    environment: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    files: frozenset[str] = field(default_factory=frozenset)


def is_layout(folder: Path) -> bool:
    """Say whether a folder is an image in OCI layout."""
    return (folder / "oci-layout").is_file() and (folder / "index.json").is_file()


def store_of(raw: IO[bytes]) -> TarStore | None:
    """Return the image that a file is; None where it is none."""
    head = raw.read(HEAD)
    raw.seek(0)
    kind = kind_of(head)
    if kind is None or kind.name != "tar":
        return None
    try:
        store = TarStore(raw)
    except (tarfile.TarError, OSError, ValueError):
        return None
    return store if store.whole and any(name in store.names for name in _INDEXES) else None


def images(store: Store) -> list[Image]:
    """Return the images that a store's tables of contents name, each once."""
    found = list(_docker(store)) or list(_oci(store, store.json("index.json"), 0))
    return list({image.config: image for image in found}.values())


def _docker(store: Store) -> Iterator[Image]:
    listed = store.json("manifest.json")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("Layers"), list):
            tags = _list(entry.get("RepoTags")) or [""]
            yield _image(store, str(tags[0]), str(entry.get("Config", "")), entry["Layers"])


def _oci(store: Store, index: Any, depth: int) -> Iterator[Image]:  # noqa: ANN401
    listed = index.get("manifests", []) if isinstance(index, dict) else []
    for entry in listed if isinstance(listed, list) and depth < _NESTED else []:
        manifest = store.json(_blob(entry))
        if isinstance(manifest, dict) and isinstance(manifest.get("layers"), list):
            name = _text(entry, "annotations", "org.opencontainers.image.ref.name")
            layers = [_blob(layer) for layer in manifest["layers"]]
            yield _image(store, name, _blob(manifest.get("config")), layers)
        else:
            yield from _oci(store, manifest, depth + 1)


def _image(store: Store, name: str, config: str, files: Sequence[Any]) -> Image:
    said = store.json(config)
    said = said if isinstance(said, dict) else {}
    steps = [step for step in _list(said.get("history")) if isinstance(step, dict)]
    filled = [n for n, step in enumerate(steps, 1) if not step.get("empty_layer")]
    diffs = _list(_at(said, "rootfs", "diff_ids"))
    layers = []
    for number, file in enumerate(map(str, files), 1):
        step = filled[number - 1] if len(filled) == len(files) else 0
        created = str(steps[step - 1].get("created", "")) if step else ""
        digest = str(diffs[number - 1]) if len(diffs) == len(files) else Path(file).name
        layers.append(Layer(file, digest, number, step, created))
    return Image(
        name,
        config,
        tuple(layers),
        tuple(_settings(said)),
        tuple(str(step.get("created_by", "")) for step in steps),
        frozenset({config, *map(str, files)}),
    )


def _settings(said: Mapping[str, Any]) -> Iterator[str]:
    """Yield what containers are started with, an assignment or a command a line."""
    for part in ("config", "container_config"):
        yield from map(str, _list(_at(said, part, "Env")))
        labels = _at(said, part, "Labels")
        if isinstance(labels, dict):
            yield from (f"{name}={value}" for name, value in labels.items())
        for words in ("Entrypoint", "Cmd", "OnBuild"):
            if line := " ".join(map(str, _list(_at(said, part, words)))):
                yield line


def _list(value: Any) -> list[Any]:  # noqa: ANN401
    return value if isinstance(value, list) else []


def _at(value: Any, *names: str) -> Any:  # noqa: ANN401
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any, *names: str) -> str:  # noqa: ANN401
    found = _at(value, *names)
    return found if isinstance(found, str) else ""


def _blob(descriptor: Any) -> str:  # noqa: ANN401
    kind, _, digest = _text(descriptor, "digest").partition(":")
    return f"blobs/{kind}/{digest}"


@dataclass(slots=True)
class Fate:
    """What later layers do to files: which they delete, replace or cover.

    Each is a path, or a folder whose content goes, with the layer's number.
    """

    removed: dict[str, list[int]] = field(default_factory=dict)
    replaced: dict[str, list[int]] = field(default_factory=dict)

    def of(self, path: str, layer: int) -> str:
        """Say in a sentence what became of a file of a layer; empty where it is still there."""
        plain = _plain(path)
        parts = plain.split("/")
        above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        gone = [n for name in above for n in self.removed.get(name, ()) if n > layer]
        over = [n for n in self.replaced.get(plain, ()) if n > layer]
        if gone and (not over or min(gone) <= min(over)):
            return f"layer {min(gone)} deletes the file, but it is still in the image"
        if over:
            return f"layer {min(over)} replaces the file, but it is still in the image"
        return ""


def fate_of(store: Store, layers: Iterable[Layer], paths: set[str]) -> Fate:
    """Find out what layers do to some files.

    Args:
        store: of the image.
        layers: to be read.
        paths: of the files, as they stand in a layer.
    """
    fate, asked = Fate(), {_plain(path) for path in paths}
    for layer in layers:
        for name in _listed(store, layer):
            folder, base = posixpath.split(_plain(name))
            if base == _OPAQUE:
                fate.removed.setdefault(folder, []).append(layer.number)
            elif base.startswith(_WHITEOUT):
                gone = posixpath.join(folder, base.removeprefix(_WHITEOUT))
                fate.removed.setdefault(gone, []).append(layer.number)
            elif _plain(name) in asked:
                fate.replaced.setdefault(_plain(name), []).append(layer.number)
    return fate


def _listed(store: Store, layer: Layer) -> Iterator[str]:
    """Yield the names in a layer, as far as they can be read: the scan has said what cannot."""
    stream = store.open(layer.file)
    if stream is None:
        return
    with stream:
        raw: IO[bytes] = _plain_tar(stream)
        try:
            with tarfile.open(fileobj=raw, mode="r|") as listing:
                for member in listing:
                    yield member.name
                    listing.members = []  # type: ignore[attr-defined]
        except (tarfile.TarError, OSError, EOFError, ValueError):
            return


def _plain_tar(stream: IO[bytes]) -> IO[bytes]:
    head = stream.read(HEAD)
    stream.seek(0)
    kind = kind_of(head)
    if kind is None or not kind.packs:
        return stream
    return io.BufferedReader(_Read(kind.open(stream, lambda _: None)))


class _Read(io.RawIOBase):
    def __init__(self, opened: Iterator[tuple[str, Read]]) -> None:
        super().__init__()
        self._opened = opened  # closed with it
        self._some = next(opened)[1]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        got = self._some(len(buffer))
        buffer[: len(got)] = got
        return len(got)
