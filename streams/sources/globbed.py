"""All log files that a pattern names, those too that come later."""

import glob
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from streams.checkpoint import Position
from streams.chunk import Chunk
from streams.retries import Retries
from streams.rotation import rotated
from streams.sources.closing import Closing
from streams.sources.file import Begun, FileSource
from vocabulary.errors import TargetError

LOOK_S = 2.0
"""How often new files are looked for."""

Positions = Callable[[str], Position | None]
"""Name of a source → its committed position."""


class GlobSource(Closing):
    """The lines of several files, in turns; each file has a position of its own.

    A file that is another one's rotated generation is read as part of that one alone.

    Args:
        pattern: such as `/var/log/*/access.log`; `**` goes through folders.
        follow: wait for more, and for more files.
        positions: asked where each file's last commit left it.
        tell: called with what a person should know.
        begun: told of each file that was never read; see `FileSource`.
        clock: seconds.
    """

    def __init__(
        self,
        pattern: str,
        *,
        follow: bool,
        positions: Positions,
        tell: Callable[[str], None] = lambda _: None,
        begun: Begun = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"files:{pattern}"
        self._pattern, self._follow, self._positions = pattern, follow, positions
        self._tell, self._begun, self._clock = tell, begun, clock
        self._files: dict[str, FileSource] = {}
        self._broken: dict[str, TargetError] = {}
        self._retries = Retries(tell, clock)
        self._raised = False
        self._turn = 0
        self._looked = float("-inf")

    @property
    def failed(self) -> Mapping[str, str]:
        """Sources of files that cannot be read just now, with the errors."""
        return {f"file:{name}": error for name, error in self._retries.failed.items()}

    @property
    def done(self) -> bool:
        """Whether every file is read once and for all."""
        told = self._raised or not self._broken
        return not self._follow and told and all(one.done for one in self._files.values())

    def open(self, position: Position | None = None) -> None:
        """Open every file where its last commit left it.

        Raises:
            TargetError: when no file is there, and none is waited for.
        """
        del position
        self.close()
        self._files, self._broken, self._raised = {}, {}, False
        self._retries = Retries(self._tell, self._clock)
        self._look()
        if not self._files and not self._follow:
            raise TargetError(
                "no file is called so", where=self._pattern, remedy="check the pattern"
            )

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return lines of the next file that has some.

        Raises:
            TargetError: when nobody waits for more and a file could not be read; all others were.
        """
        del timeout_s
        if self._follow and self._clock() - self._looked >= LOOK_S:
            self._look()
        names = list(self._files)
        for step in range(len(names)):
            at = (self._turn + step) % len(names)
            chunk = self._read(names[at], max_lines)
            if chunk is not None:
                self._turn = at + 1
                return chunk
        if not self._follow and self._broken and not self._raised:
            self._raised = True
            raise next(iter(self._broken.values()))
        return None

    def close(self) -> None:
        """Let go of all files."""
        for one in self._files.values():
            one.close()

    def _read(self, name: str, max_lines: int) -> Chunk | None:
        try:
            chunk = self._files[name].read(max_lines, 0.0)
        except TargetError as error:
            self._give_up(name, error)
            return None
        self._retries.succeed(name)
        return chunk

    def _give_up(self, name: str, error: TargetError) -> None:
        """Go on with the other files: one that is broken holds none of them up."""
        if self._follow:
            self._retries.fail(name, str(error))
        else:
            self._broken[name] = error
        self._files.pop(name).close()

    def _look(self) -> None:
        """Open the files that are new, or may be tried again."""
        self._looked = self._clock()
        found = matching(self._pattern)
        for gone in set(self._retries.failed) - set(found):
            self._retries.forget(gone)
        for name in found:
            if name in self._files or name in self._broken or not self._retries.is_due(name):
                continue
            one = FileSource(name, follow=self._follow, tell=self._tell, begun=self._begun)
            self._files[name] = one
            try:
                one.open(self._positions(one.name))
            except TargetError as error:
                self._give_up(name, error)


def is_pattern(path: str) -> bool:
    """Say whether a path names several files."""
    return glob.has_magic(path)


def matching(pattern: str) -> list[str]:
    """Return the files of a pattern, without those that are rotated generations of others."""
    found = {str(Path(name).absolute()) for name in glob.glob(pattern, recursive=True)}  # noqa: PTH207  (absolute patterns)
    files = {name for name in found if Path(name).is_file()}
    older = {str(one.path) for name in files for one in rotated(Path(name))}
    return sorted(files - older)
