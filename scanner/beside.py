"""What stands on either side of a value and takes it from the name before it."""

from scanner.candidate import Candidate
from scanner.gap import gap_of
from scanner.lazy import lazy
from scanner.shape import UUID, machine_made
from scanner.wording import NAME_KINDS

_LABELS, _BLOCK = lazy(r"[\"'] [\"']"), lazy(r"[\"'] ?\{")
"""`resource "random_password" "web" {`: type and label of a block."""
_CASE = lazy(r"[\"'`]\s*:\s*case\s+[\"'`]\Z")
"""`case "password": case "button":`."""
_ANNOTATION = lazy(r"\(.{0,60}@[A-Z]\w*\([\"']\Z|\(@[A-Z]\w*\([\"']\Z")
"""`resetPassword(@PathVariable("key") String key`: a parameter of the method of that name."""
_SHORT_BEFORE = lazy(r"[\"'`],[A-Za-z_$][\w$]{0,2}=[\"'`]\Z")
_SHORT_AFTER = lazy(r"[\"'`],[A-Za-z_$][\w$]{0,2}=[\"'`]")
"""`',Owd='Panel$1',Pwd='Panel$2',Qwd='`: variables that a compiler has named."""
_CHECKED = lazy(r"(?i)(?:checksum|sha-?\d{1,3}|md5|digest|fingerprint|hash)s?[/:]\Z")
"""`checksum/secret: …`, an annotation that changes when the secret does."""
_FOLDERS = lazy(r"[\"'](?:[\w@~. -]{0,60}/){1,12}\Z")
_ENDING = lazy(r"\.[A-Za-z]\w{0,5}\Z")
"""`"manifests/root_password.pp": "…"`: a list of files, with what each sums up to."""
_CELL = lazy(r"[^|]{0,20}\|\s*(?:[A-Za-z][\w'-]*\s+){2,}[\"'`]\Z")
"""`| Pass | Created a card `7Ta9` |`: the next cell of a table is a sentence."""
_PARAMETER = lazy(r",\s*\$([A-Za-z_]\w{0,40})\s*=\s*[\"']\Z")
"""`setPassword($password, $method = 'pbkdf2')`: the default of another parameter."""
_ARGUMENT = lazy(r"\(\{\s*(?:[^{}\"']{0,60},\s*)?([A-Za-z_$][\w$]{0,40})\s*:\s*[\"'`]\Z")
"""`token: await signed({ sub: 'ada' })`: a part of what the call takes."""
_DESCRIBED = lazy(
    r"(?i)[\"']?(?:description|summary|help|comments?|documentation|title)[\"']?\s*(?::|=>?)\s*([\"'`])(?:(?!\1).)*\Z"
)
"""`"description": "'masterPassword' = standard sign-in, …"`: a sentence for people."""
_FILE_IN_ADDRESS = lazy(r"\.[a-z][a-z0-9]{1,4}\?[\w=&.%-]{0,60}\btoken=\Z")
"""`/logo.png?alt=media&token=`: an address that a program has for all its users."""
_PICTURE = lazy(r"(?i)\.(?:png|jpe?g|gif|svg|webp|bmp|ico)\?[\w=&.%-]{0,60}\btoken=\Z")
"""`![how](https://a.b/how.png?token=`: it opens that picture, to all who read the page."""
_BEACON = lazy(r"\bdata-[\w-]{0,20}beacon=[\"'][^<>]*\Z")
"""`<script data-cf-beacon='{"token": "`: what every page of a site says of itself."""
_FILLED_LATER = lazy(r"<[\w-]{0,40}placeholder\s[^<>]*\Z")
"""`<render-placeholder callback="a" token="`: by it a server knows what it wrote itself."""
_CALLED_LATER = lazy(r"\bcallback=[^&\s\"']*(?:::|%3A%3A)[^\s\"']*\btoken=\Z")
"""`callback=Acme::render&args[0]&token=`: the same in an address, of a method of the server."""
_ENTRY_BEHIND = lazy(r"[\"'],\s*[\"']")
"""`'https://a.b/check_token', '`: another string than the one that ends in the name."""
_STORED = lazy(r"(?i)cred(?:ential)?s?(?:_?id)?\Z")
"""`DOCKER_CREDENTIALS = '…'`: which of the stored credentials is meant."""
_JOINED = lazy(r"\s*\+\s*[\"'`]\Z")
"""`"#set@" + password + "#mode"`: what is put behind it."""
_NEXT_CALL = lazy(r",\s*[A-Za-z_$][\w.$>-]{0,40}\(\s*[\"']\Z")
"""`authenticate($secret, hex2bin('`: another argument, which a call makes."""
_FETCHED = lazy(r"(?:^|[^A-Za-z])(?:get|fetch|find|look_?up)\w{0,40}\([\"']\Z")
"""`getAccessToken('ada')`: by what a token is asked for."""
_READ = lazy(r"(?:^|[^A-Za-z])(?:decode|parse|format|render|describe)_\w{0,40}\((?:<<)?[\"']\Z")
"""`decode_password(<<"storage:notes">>`: what is to be read."""
_TOKEN = lazy(r"^(?:[a-z]+\.)?(?:[a-z]+T|[Tt])oken[A-Z]?\Z")
_OTHER_ARGUMENT = lazy(r",\s*(?:<<)?[\"']\Z")
_OF_A_CALL = lazy(r"[(,]\s*(?:this\.)?\Z")
"""`validate(token, '…'`: another argument than the variable of that name."""
_OF_CALLED = lazy(r"[\"']\)\s*,\s*[\"']\Z")
"""`equal(hash('password'), '…'`: what a call gives."""
_COORDINATES = lazy(r"[\w@-]:[\w@./-]{1,60}:\Z")
"""`patch:npm:webtoken:2026:0`: parts of one name."""
_OF_PATH = lazy(r"/etc/\Z")
_HEX = lazy(r"[0-9a-f]{32,128}")
_CALLED_PUBLIC = lazy(r"[^\n]{0,20}(?://|#|/\*)[^\n]{0,40}\bpublic\b")
"""`siteToken: '…', // public token`."""
_NAMES_IT = lazy(r"(?i)pass|pwd|secret|token|key|cred|value|default|data|text")
_IMAGE = lazy(
    r"(?i)(?:\bimage\b|\bFROM\b|\b(?:docker|podman|crictl)\b|registr)[^\"']*[\"']?[^\s\"']*/\Z"
)
"""`FROM acme/webtokens:`: the value is the version of an image."""
_CHANNEL = lazy(r"(?i)\bauth[\"']\s{0,2}:\s{0,2}[\"']\Z")
"""`"auth":"acmekey:`: key and signature of Pusher, which let somebody into a channel, once."""
_MEMBER = lazy(r"::(\w{1,60})\b")
"""`KeePass::CIPHER = `: what counts is the member, not whose it is."""
_ID_MADE = lazy(r"(?i)\b[A-Z]?(?:uuid|guid)(?:\.\w{1,20})?\([\"']\Z")
"""`QUuid("`: an id is made of the value."""
_ID_TOLD = lazy(r"(?:\b[iI]d|\bID|[a-z]I[dD])[ \t]{1,3}(?:as|is|=|:)[ \t]{1,3}[\"'`]?\Z")
"""`SuperTokens userId as `: an id is named behind the name."""
_ID_BEFORE = lazy(r"\"id\"\s?:\s?\"\Z|[a-z]s\\?/\Z")
_FIELD = lazy(r"\bhidden_field(?:_tag)?[( ]\s*[\"':]")
"""`hidden_field_tag 'token', '`: what a page is sent with."""
_OF_85 = lazy(r"[0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]{60,}")
_SIGNS = 10  # different ones
_COLLECTED = lazy(
    r"(?i)(?:tokens?|keys?)\.(?:add|append|push|put|insert|contains|remove|includes|has|indexof)\Z"
)
"""`tokens.add("street")`: an element of a list."""


def belongs_beside(candidate: Candidate) -> bool:
    """Say whether what stands around name and value gives the value to something else."""
    gap = gap_of(candidate)
    made = machine_made(candidate.value)
    if not made and (_COLLECTED.search(candidate.name) or _DESCRIBED.search(candidate.before)):
        return True
    if any(shape.match(gap) for shape in (_CASE, _ANNOTATION, _CELL)):
        return True
    if any(shape.search(candidate.before) for shape in (_ID_MADE, _ID_TOLD, _FIELD)):
        return True
    return _is_named_beside(candidate, gap) or _is_of_its_line(candidate, gap)


def _is_named_beside(candidate: Candidate, gap: str) -> bool:
    """Say whether what is named is another thing than the value: an image, a member, a label."""
    if _is_a_version(candidate, gap) or _is_of_a_member(gap) or _is_a_part(candidate, gap):
        return True
    if _is_behind(candidate, gap) or _JOINED.match(gap):
        return True
    return _LABELS.fullmatch(gap) is not None and _BLOCK.match(candidate.after) is not None


def _is_of_its_line(candidate: Candidate, gap: str) -> bool:
    """Say whether the line gives the value to a table, a reader, a call, an id or a file."""
    if _is_in_table(candidate) or _is_public(candidate) or _is_within_base85(candidate):
        return True
    return _is_of_call(candidate, gap) or _is_an_id(candidate) or _is_of_a_file(candidate, gap)


def _is_a_version(candidate: Candidate, gap: str) -> bool:
    """Say whether the name ends that of an image of containers, or is the key of a channel."""
    if gap != ":":
        return False
    head = _head(candidate, gap)
    return _IMAGE.search(head) is not None or _CHANNEL.search(head) is not None


def _is_a_part(candidate: Candidate, gap: str) -> bool:
    """Say whether name and value are parts of one word: `%PASSWORD:id%`, `npm:webtoken:2026`."""
    if gap != ":":
        return False
    head = _head(candidate, gap)
    if head[-1:] == candidate.value[-1:] == "%":
        return True
    return candidate.value[:1].isdigit() and _COORDINATES.search(head) is not None


def _is_of_a_member(gap: str) -> bool:
    """Say whether a member of what is named like a secret is set, and is none itself."""
    found = _MEMBER.match(gap)
    return found is not None and not any(kind.search(found[1]) for _, kind in NAME_KINDS)


def _is_within_base85(candidate: Candidate) -> bool:
    """Say whether the whole line is written in base85, as archives within programs are."""
    line = f"{candidate.before}{candidate.value}{candidate.after}"
    if not _OF_85.fullmatch(line):
        return False
    return len({sign for sign in line if not sign.isalnum()}) >= _SIGNS


def _is_of_a_file(candidate: Candidate, gap: str) -> bool:
    """Say whether the value is what a secret or a file sums up to."""
    head = _head(candidate, gap)
    if _CHECKED.search(head):
        return True
    if _OF_PATH.search(head) and gap[:1] == ":" and _HEX.fullmatch(candidate.value):
        return True  # `/etc/passwd: …`
    listed = _ENDING.search(candidate.name) and _FOLDERS.search(head)
    return gap[:1] in ('"', "'") and bool(listed)


def _head(candidate: Candidate, gap: str) -> str:
    """Return what stands before the name."""
    return candidate.before[: len(candidate.before) - len(gap) - len(candidate.name)]


def _is_in_table(candidate: Candidate) -> bool:
    before, after = _SHORT_BEFORE.search(candidate.before), _SHORT_AFTER.match(candidate.after)
    return before is not None and after is not None


def _is_behind(candidate: Candidate, gap: str) -> bool:
    """Say whether the value is the string after one that only ends in the name."""
    return _ENTRY_BEHIND.fullmatch(gap) is not None and _head(candidate, gap)[-1:] in ("/", " ")


def _is_public(candidate: Candidate) -> bool:
    """Say whether all who read a page are given the value, or a remark calls it public."""
    if _CALLED_PUBLIC.match(candidate.after):
        return True
    return any(
        shape.search(candidate.before)
        for shape in (_PICTURE, _BEACON, _FILLED_LATER, _CALLED_LATER)
    )


def _is_of_call(candidate: Candidate, gap: str) -> bool:
    """Say whether the value is that of another parameter or part of what a call takes."""
    if any(shape.search(gap) for shape in (_NEXT_CALL, _OF_CALLED)):
        return True
    if _FETCHED.search(candidate.before) or _is_another_argument(candidate, gap):
        return True
    if _READ.search(candidate.before) and not machine_made(candidate.value):
        return True
    found = _PARAMETER.search(gap) or _ARGUMENT.search(gap)
    return found is not None and not _NAMES_IT.search(found[1])


def _is_another_argument(candidate: Candidate, gap: str) -> bool:
    if not _TOKEN.search(candidate.name) or not _OTHER_ARGUMENT.fullmatch(gap):
        return False
    return _OF_A_CALL.search(_head(candidate, gap)) is not None


def _is_an_id(candidate: Candidate) -> bool:
    """Say whether a value is an id of its line, or tells which credentials or file are meant."""
    if _is_named_as_id(candidate):
        return True
    if not UUID.fullmatch(candidate.value):
        return False
    named, file = _STORED.search(candidate.name), _FILE_IN_ADDRESS.search(candidate.before)
    return named is not None or file is not None


def _is_named_as_id(candidate: Candidate) -> bool:
    """Say whether the line has it as an id: `"id":"7KD3", "a":"…?token=7KD3"`, `/orders/7KD3"`."""
    at = candidate.before.find(f'{candidate.value}"')
    return at > 0 and _ID_BEFORE.search(candidate.before[:at]) is not None
