"""What a rule costs: its time on a text that looks like the repositories it will read."""

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from random import Random

import hyperscan
import msgspec

from scanner.prefilter import loosened
from scanner.rules import Rule

Clock = Callable[[], float]
_WORDS = re.findall(
    r"\w+",
    """key token secret password value name config client server request response user account id
    api url path file line return import from class function const let self this def public test
    auth header data index list map error code access cloud service database message build""",
)
_SHAPES = (
    '    {0}_{1} = {2}.get("{3}", {4})\n',
    "  {0}: {1}-{2}\n",
    'const {0}{1} = require("./{2}/{3}");\n',
    "# {0} {1} {2} {3} {4} {0} {2}\n",
    'export {0}_{1}="${{{2}_{3}}}"\n',
    '<a href="https://{0}.example.com/{1}/{2}?{3}={4}">{0}</a>\n',
)


class Cost(msgspec.Struct, frozen=True):
    """What one rule costs on the standard text.

    Attributes:
        ms_per_mb: processor time of both passes for a megabyte, milliseconds.
        hits: places in that text where the first pass stops.
    """

    rule: str
    ms_per_mb: float
    hits: int


def standard_text(size: int, words: Sequence[str] = ()) -> bytes:
    """Return `size` bytes of code, settings, digests and base64, always the same.

    Args:
        size: bytes.
        words: keywords of the rules, sprinkled in: names of vendors do occur in code.
    """
    random = Random("standard text")  # noqa: S311  (the same text on every run)
    known = [*_WORDS, *words]
    made = bytearray()
    while len(made) < size:
        kind = random.random()
        if kind < 0.1:  # noqa: PLR2004  (a tenth of the lines are digests)
            made += f"{random.randbytes(20).hex()}  {random.choice(known)}.c\n".encode()
        elif kind < 0.15:  # noqa: PLR2004  (a twentieth are base64)
            made += b'  "' + b64encode(random.randbytes(57)) + b'",\n'
        else:
            chosen = [random.choice(known) for _ in range(5)]
            made += random.choice(_SHAPES).format(*chosen).encode()
    return bytes(made[:size])


def cost(rule: Rule, text: bytes, clock: Clock) -> Cost:
    """Measure one rule alone.

    Args:
        rule: the rule.
        text: what to read, see `standard_text`.
        clock: processor time in seconds, such as `time.process_time`.
    """
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[loosened(rule.pattern).encode()], flags=hyperscan.HS_FLAG_MULTILINE
    )
    pattern = re.compile(rule.pattern.encode(), re.MULTILINE)
    ends: list[int] = []
    begun = clock()
    database.scan(text, match_event_handler=lambda *hit: ends.append(hit[2]))
    for end in ends:
        pattern.search(text, max(0, end - 512), end + 64)
    spent = clock() - begun
    return Cost(rule.id, round(spent * 1e3 / (len(text) / 1e6), 3), len(ends))
