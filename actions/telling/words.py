"""What a message says to people: templates for owners and for the security team.

A template is lines of text with `$names`. The first line is the title; a line all of whose names
are empty is left out. The values are plain text (see `escape.plain`) of which each medium takes
care; the template itself is the operator's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from actions.telling.escape import plain
from actions.telling.facts import FIELDS, facts
from vocabulary.errors import ConfigError

AUDIENCES = ("owner", "security")


@dataclass(frozen=True, slots=True)
class Words:
    """A message in words; every text is plain.

    Attributes:
        event: opened, updated, acknowledged, resolved, false, digest or key.
        incident: its id; empty for a digest and for news of a key.
        severity: low, medium, high or critical.
        link: where to go; empty for nowhere.
        owner: who owns the key.
    """

    title: str
    body: str
    event: str
    incident: str
    severity: str
    link: str
    owner: str


class Writer:
    """Puts messages into words.

    Args:
        audience: owner or security; decides on the template.
        template: a file in place of the built-in one; empty for none.
        link: address that people may follow; `$key` and `$incident` in it are replaced.
        where: how the configuration calls it.

    Raises:
        ConfigError: when the template cannot be read, or names what no message has.
    """

    def __init__(self, audience: str, template: str = "", link: str = "", where: str = "") -> None:
        if audience not in AUDIENCES:
            raise ConfigError(
                f"there is no audience `{audience}`", where=where, remedy=" or ".join(AUDIENCES)
            )
        file = Path(template) if template else Path(__file__).with_name(f"{audience}.txt")
        self._lines = _read(file)
        self._link = _parsed(link, where or "link", ("key", "incident"))

    def write(self, message: Mapping[str, Any]) -> Words:
        """Return a message in words."""
        known = facts(message)
        fields = {name: plain(known.get(name, "")) for name in FIELDS}
        names = {name: _address_part(fields[name]) for name in ("key", "incident")}
        fields["link"] = self._link.substitute(names) if all(names.values()) else ""
        lines = [said for line in self._lines if (said := _filled(line, fields))]
        return Words(
            title=lines[0] if lines else fields["what"],
            body="\n".join(lines[1:]),
            event=fields["event"],
            incident=fields["incident"],
            severity=fields["severity"] or "low",
            link=fields["link"],
            owner=fields["owner"],
        )


def writer_of(options: Mapping[str, Any]) -> Writer:
    """Return the writer that a notifier's options ask for; who is called `owner` is one."""
    name = str(options.get("name", ""))
    audience = options.get("audience") or ("owner" if name == "owner" else "security")
    template, link = options.get("template", ""), options.get("link", "")
    return Writer(audience, template, link, where=f"notify.{name}")


@cache
def _read(file: Path) -> tuple[Template, ...]:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"the template cannot be read: {reason}", where=str(file)) from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ConfigError("the template is empty", where=str(file))
    return tuple(_parsed(line, f"{file}:{number}", (*FIELDS, "link")) for number, line in lines)


def _parsed(line: str, where: str, names: tuple[str, ...]) -> Template:
    template = Template(line)
    if not template.is_valid():
        raise ConfigError("a `$` that begins no name", where=where, remedy="write it as $$")
    for name in template.get_identifiers():
        if name not in names:
            raise ConfigError(
                f"no message has a `${name}`", where=where, remedy=f"there are {', '.join(names)}"
            )
    return template


def _filled(line: Template, fields: Mapping[str, str]) -> str:
    names = line.get_identifiers()
    if names and not any(fields[name] for name in names):
        return ""
    return line.substitute(fields)


def _address_part(text: str) -> str:
    """Return an id as it may stand in an address; empty for anything that is no id."""
    return text if text and all(c.isalnum() or c in "_-.:" for c in text) else ""
