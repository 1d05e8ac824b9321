"""What a path says of the lines in a file: its language, and whether they are tests or texts."""

from functools import lru_cache
from typing import ClassVar

import msgspec

from scanner.lazy import lazy

_LANGUAGES = {
    "code": "c cc cpp cxx h hpp m mm java kt kts scala cs go rs swift dart hs erl hrl ex exs clj fs vb pas pyx proto sol zig nim ml mli",
    "script": "py rb php js ts tsx jsx vue mjs cjs pl pm lua r groovy gradle coffee jl tcl el moo las",
    "shell": "sh bash zsh fish bats ps1 psm1 bat cmd command dockerfile makefile mk",
    "config": "yml yaml toml ini cfg conf cnf properties env config tf tfvars hcl plist settings editorconfig cf rc netrc pgpass npmrc credentials creds",
    "data": "json xml csv tsv har log sql ldif lock jsonl ndjson graphql bundle map golden snap out dump",
    "text": "md rst txt adoc html htm tex org textile markdown xhtml erb jsp ejs hbs j2 odd",
    "interface": "xaml xib storyboard strings resx po pot arb ftl xlf tl resources ldml",
    "template": "template tmpl tpl example sample dist default",
}  # fmt: skip
_OF = {
    ending: number
    for number, endings in enumerate(_LANGUAGES.values(), 1)
    for ending in endings.split()
}
_TESTS = lazy(
    r"(?i)(?:^|[/_.-])(?:tests?|testing|specs?|fixtures?|testdata|mocks?|e2e|cypress)(?:[/_.-]|$)|Tests?\."
)
_EXAMPLES = lazy(r"(?i)(?:^|[/_.-])(?:examples?|samples?|demos?|tutorials?|templates?|docs?|documentation|guides?|manual|readme|changelog|changes|history|news)(?:[/_.-]|$)")  # fmt: skip
_TRANSLATED = lazy(r"(?i)(?:^|/)(?:locales?|langs?|translations?|languages?|messages)(?:[/_.-]|$)|(?:^|[/_.-])(?:i18n|l10n)(?:[/_.-]|$)|(?:^|[/_.-])messages?[._-]\w*")  # fmt: skip
_STRUCTURAL = lazy(
    r"(?i)\.(?:sln|slnx|suo|(?:cs|vb|fs|vcx|sh|sql|wix|es|dc|njs|py)proj|filters|props|targets|resx|wxs|wxi|idl|rc|reg|inf"
    r"|svg|pbxproj|xib|storyboard|log)$|\.(?:vsdx?|docx|xlsx|pptx|od[tsp]|db|sqlite3?)/"
)
"""Files in which a UUID names a project, a shape, a row, a request."""
_FOREIGN = lazy(r"(?i)(?:^|/)(?:vendor|node_modules|third_party|bower_components|dist|min)(?:/|\.)|\.min\.|\.lock$|-lock\.|go\.sum$")  # fmt: skip


class Place(msgspec.Struct, frozen=True):
    """A path in numbers.

    Attributes:
        features: in the order of `NAMES`; all 0 where nothing is known.
        among_tests: whether it lies among tests.
        among_examples: whether it lies among examples or documentation.
        structural: whether UUIDs name parts of the file, as in projects, drawings and logs.
        spoken: whether the file is named after a language, in a folder of texts.
        reported: whether it is what a scanner of secrets has said, under names of its own.
        configures: whether its name is one of settings, in whatever language it is written.
        rendered: whether it is an example by nothing but the folder from which a role of Ansible or
            a cookbook of Chef writes configurations.
        tongue: whether the file's name ends in that of a language: `messages_es.properties`.
        locked: whether it lists packages and what each sums up to.
        published: whether it is the configuration of a site of documentation, all of which its
            pages bring to their readers.
        told: whether it is the message of a commit.
        compiled: whether a compiler has written it: names stand beside one another there.
    """

    NAMES: ClassVar = (
        "language", "tests", "examples", "translated", "foreign", "sql", "json", "hidden",
    )  # fmt: skip
    features: tuple[float, ...] = (0.0,) * 8
    structural: bool = False
    spoken: bool = False
    reported: bool = False
    configures: bool = False
    rendered: bool = False
    tongue: bool = False
    locked: bool = False
    published: bool = False
    told: bool = False
    compiled: bool = False

    @property
    def among_tests(self) -> bool:
        """Whether the path is one of tests."""
        return bool(self.features[1])

    @property
    def among_examples(self) -> bool:
        """Whether the path is one of examples or documentation."""
        return bool(self.features[2])

    @property
    def code(self) -> bool:
        """Whether it is source code, where bare words are names."""
        return self.features[0] in (1, 2)

    @property
    def text(self) -> bool:
        """Whether people read it as a text."""
        return self.features[0] == 6  # noqa: PLR2004

    @property
    def translated(self) -> bool:
        """Whether the path is one of texts in the languages of people."""
        return bool(self.features[3])


_SPOKEN = lazy(
    r"(?i)(?:^|/)(?:locali[sz]ations?|strings|languages?|texts)/(?:[^/]+/){0,3}"
    r"[a-z]{2,3}(?:[-_][a-z]{2,4}){0,2}(?:\.(?:json|ya?ml|xml|properties|php|js|ts|resx)|/[^/]+)$"
)
"""A file that is named after a language, in a folder of texts."""
_REPORTED = lazy(
    r"(?i)(?:^|/)\.?(?:gitleaks|betterleaks|trufflehog|kingfisher|noseyparker|ggshield|detect[_-]?secrets"
    r"|secrets?[_.-]scan\w*|keywatch)[\w.-]*\.(?:jsonl?|sarif|csv|xml)$|\.secrets\.baseline$|\.sarif$"
)
_CONFIGURES = lazy(
    r"(?i)(?:^|/)(?:conf|config\w{0,10}|env|environments?|credentials?|secrets?|deploy\w{0,6}|seeds?)/"
    r"|(?:^|[/_.-])(?:conf|config\w{0,10}|settings?|database|db|env|environments?|credentials?|secrets?"
    r"|local|deploy\w{0,6}|seeds?|docker)(?:[_.-][^/]*|)$|(?:config|settings)\.\w{1,5}$"
)
_RENDERED = lazy(r"(?:^|/)(?:roles|cookbooks)/[^/]+/templates/")
_TONGUE = lazy(
    r"(?i)(?:^|[/_.-])(?:ar|bg|bn|bs|ca|cs|cy|da|de|el|en|eo|es|et|eu|fa|fi|fr|ga|gl|he|hi|hr|hu|hy|id|is|it|ja|ka|kk"
    r"|ko|lt|lv|mk|ms|nb|nl|nn|no|pl|pt|ro|ru|sk|sl|sq|sr|sv|sw|ta|th|tr|uk|ur|uz|vi|zh)(?:[_-][a-z]{2,4})?"
    r"\.(?:prop|properties|resx|resw|json5?|po|xlf|xliff|php|inc|ya?ml|strings|arb|ts|js|ini|lang|lng|xml|txt|csv|html?|jelly|md)$"
)
"""A file whose name is a language, or ends in one."""
_KEPT = lazy(r"(?:\.(?:orig|bak|old|rej|save|swp)|~)$")
"""What is left of a file that was changed."""
_LOCKED = lazy(
    r"(?i)(?:^|/)(?:[\w-]+\.lock|[\w-]+-lock\.(?:json|ya?ml)|package\.resolved|go\.sum|bun\.lockb?|cartfile\.resolved|sha\d*sums)$"
)
_PUBLISHED = lazy(
    r"(?i)(?:^|/)docusaurus\.config\.\w{2,3}$|(?:^|/)\.vitepress/(?:\w+/)?config\.\w{2,3}$"
)
_COMPILED = lazy(r"(?i)\.(?:py[cod]|class|beam|o|a|so|dll|exe|lib|wasm)$")
_MESSAGE = "(commit message)"
_TYPED = lazy(
    r"(?i)(?:^|/)(?:\.(?:\w{1,20}[_-])?history|(?:(?:ba|z|fi)sh|consolehost|psql|mysql|sqlite)_history)(?:\.txt|\.\d)?$"
)
"""What somebody typed into a shell: no history of versions for readers."""
NOWHERE = Place()


@lru_cache(maxsize=4096)
def place_of(path: str) -> Place:
    """Return what a path says; nothing for an empty one."""
    if not path:
        return NOWHERE
    path = path.replace("!", "/")  # what an archive holds, as if it were a folder
    name = path.rsplit("/", 1)[-1].lower()
    name = _KEPT.sub("", name)
    ending = name.rsplit(".", 1)[-1]
    return Place(
        (
            float(_OF.get(ending, 9)),
            float(_TESTS.search(path) is not None),
            float(_EXAMPLES.search(path) is not None and _TYPED.search(path) is None),
            float(_TRANSLATED.search(path) is not None),
            float(_FOREIGN.search(path) is not None),
            float(ending == "sql"),
            float(ending in ("json", "har", "log")),
            float(name.startswith(".") or ending in ("env", "properties")),
        ),
        _STRUCTURAL.search(path) is not None,
        _SPOKEN.search(path) is not None,
        _REPORTED.search(path) is not None,
        _CONFIGURES.search(path) is not None,
        _is_rendered(path),
        _TONGUE.search(path) is not None,
        _LOCKED.search(path) is not None,
        _PUBLISHED.search(path) is not None,
        path == _MESSAGE,
        _COMPILED.search(path) is not None,
    )


def _is_rendered(path: str) -> bool:
    found = _RENDERED.search(path)
    return found is not None and _EXAMPLES.search(path.replace(found[0], "/")) is None
