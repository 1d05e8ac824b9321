"""A container image, scanned layer by layer: what a later layer deletes is still in the image."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace

from scanner.archives.kinds import HEAD, kind_of
from scanner.batch import batch_of, window_batch
from scanner.engine import Engine
from scanner.match import Match
from scanner.options import Progress
from scanner.receipt import Receipt
from scanner.searcher import Searcher
from scanner.sources import image
from scanner.sources.image import Fate, Image, Layer, Store
from scanner.texts import Texts, tallied
from scanner.windows import windows
from vocabulary.finding import Place


def is_image(path: Path) -> bool:
    """Say whether a target is an image."""
    if path.is_dir():
        return image.is_layout(path)
    with path.open("rb") as raw:
        return image.store_of(raw) is not None


def image_texts(path: Path, engine: Engine, receipt: Receipt, progress: Progress) -> Texts:
    """Scan every layer once, the configuration, and whatever else lies beside them."""
    with ExitStack() as stack:
        store: Store | None
        if path.is_dir():
            store = image.FolderStore(path)
        else:
            store = image.store_of(stack.enter_context(path.open("rb")))
        assert store is not None
        return _Scan(store, path.name, engine.searcher(), receipt).all(progress)


class _Scan:
    def __init__(self, store: Store, name: str, searcher: Searcher, receipt: Receipt) -> None:
        self._store, self._name = store, name
        self._searcher, self._receipt = searcher, receipt
        self._texts = Texts([], "image")
        self._done: set[str] = set()

    def all(self, progress: Progress) -> Texts:
        """Scan the images, then the files that none of them names."""
        found = image.images(self._store)
        total = len(self._store.names)
        for one in found:
            self._config(one)
            self._layers(one, progress, total)
        for file in self._store.names:
            if file not in self._done:
                self._texts.matches += self._opened(file, f"{self._name}!{file}", {})
                progress(len(self._done), total)
        tallied(self._receipt, self._searcher.tally)
        return self._texts

    def _config(self, one: Image) -> None:
        """Scan what the configuration says, its values a line each, then the file itself."""
        if one.config in self._done:
            return
        seen: set[bytes] = set()
        for title, lines in (("environment", one.environment), ("history", one.history)):
            item = f"{self._name}!({title})"
            text = "".join(line.replace("\n", " ") + "\n" for line in lines)
            for match in self._searcher.search(batch_of(text.encode("utf-8", "replace"))):
                seen.add(match.secret)
                self._texts.matches.append(replace(match, item=item))
        raw = self._opened(one.config, f"{self._name}!{one.config}", {})
        self._texts.matches += [match for match in raw if match.secret not in seen]

    def _layers(self, one: Image, progress: Progress, total: int) -> None:
        found: dict[int, list[Match]] = {}
        for layer in one.layers:
            if layer.file in self._done:
                continue
            item = f"{self._name}!{layer.file}"
            place = Place(path=self._name, commit=layer.digest, date=layer.created)
            found[layer.number] = list(self._opened(layer.file, item, {item: place}))
            progress(len(self._done), total)
        paths = {_path(match) for matches in found.values() for match in matches}
        first = min((number for number, matches in found.items() if matches), default=0)
        later = [layer for layer in one.layers if layer.number > first] if first else []
        fate = image.fate_of(self._store, later, paths)
        for layer in one.layers:
            self._texts.matches += [
                replace(match, notes=_notes(one, layer, fate, match))
                for match in found.get(layer.number, ())
            ]

    def _opened(self, file: str, item: str, located: dict[str, Place]) -> Iterator[Match]:
        """Scan one file of the store; as an archive where it is one."""
        self._done.add(file)
        stream = self._store.open(file)
        if stream is None:
            self._receipt.incomplete.append(f"{item} is named by the image and missing")
            return
        self._texts.located |= {name: (place,) for name, place in located.items()}
        with stream:
            head = stream.read(HEAD)
            stream.seek(0)
            kind = kind_of(head)
            if kind:
                yield from self._searcher.open(kind, stream, item.encode())
            else:
                for window in windows(stream.read):
                    yield from self._searcher.search(window_batch(window, item.encode()))
            self._receipt.files[0] += 1
            self._receipt.files[1] += stream.tell()


def _path(match: Match) -> str:
    """Return the path of the file in its layer, without what lies in that file."""
    return match.inside.lstrip("!").partition("!")[0]


def _notes(one: Image, layer: Layer, fate: Fate, match: Match) -> tuple[str, ...]:
    made = f", made by step {layer.step} of its history" if layer.step else ""
    said = f"in layer {layer.number} of {len(one.layers)}{made}"
    gone = fate.of(_path(match), layer.number)
    return (said, gone) if gone else (said,)
