"""Where secrets stand in formats of other languages, devices, tools and documents."""

import zlib

import pytest

from scanner.archives.pdf import shown
from tests.scanner.planting import confidences
from tests.scanner.secrets import github_token

SHOWN = {
    "a JSON Web Key": (
        "a.json",
        '{"kty":"EC","crv":"P-256","x":"{base64url:43}","y":"{base64url:43}","d":"{base64url:43}"}',
    ),
    "a symmetric JSON Web Key": ("a.json", '{"kty":"oct","k":"{base64url:43}"}'),
    "an attribute of .NET": ("web.config", '<add key="ApiSecret" value="{base62:32}" />'),
    "a raw string of Rust": ("a.rs", 'let password = r#"{base62:14}"#;'),
    "a string of TOML": ("a.toml", 'password = """{base62:14}"""'),
    "a literal of Perl": ("a.pl", "my $password = q{{base62:14}};"),
    "a literal of Ruby": ("a.rb", "password = %q({base62:14})"),
    "a table of MATLAB": ("a.m", "c = database('shop','ada','{base62:12}');"),
    "escapes of properties": ("a.properties", r"db.password=Ab\:{base62:10}\=x7"),
    "properties without a sign": ("a.properties", "db.password {base62:14}"),
    "an anchor of YAML": ("a.yml", "password: &pw {base62:14}"),
    "a tag of YAML": ("a.yml", "password: !!str {base62:14}"),
    "a dump of PHP": ("a.txt", '  ["password"]=>\n  string(14) "{base62:14}"'),
    "serialized PHP": ("a.txt", 's:8:"password";s:14:"{base62:14}";'),
    "a typed item": ("a.json", '{"password": {"S": "{base62:14}"}}'),
    "a parameter": ("a.json", '{"ParameterKey": "DbPassword", "ParameterValue": "{base62:14}"}'),
    "an INSERT of SQL Server": (
        "a.sql",
        "INSERT [dbo].[Users] ([Id], [Password]) VALUES (1, N'{base62:14}')",
    ),
    "a router": ("router.cfg", "username admin privilege 15 password 0 {base62:12}"),
    "a proxy": ("haproxy.cfg", "    stats auth admin:{base62:12}"),
    "a kickstart": ("ks.cfg", "rootpw --plaintext {base62:12}"),
    "an answer file": (
        "unattend.xml",
        "<Password><Value>{base62:12}</Value><PlainText>true</PlainText></Password>",
    ),
    "a relay": ("sasl_passwd", "[smtp.acme.example]:587 ada@acme.example:{base62:14}"),
    "Composer": ("auth.json", '{"github-oauth": {"github.com": "{hex:40}"}}'),
    "Bundler": (".bundle/config", 'BUNDLE_GEMS__ACME__IO: "ada:{base62:14}"'),
    "Rails": ("config/master.key", "{hex:32}\n"),
    "Hardhat": ("hardhat.config.js", "accounts: ['0x{hex:64}'],"),
    "a client of FTP": ("a.sh", "lftp -u ada,{base62:12} ftp.acme.example"),
    "a field of a page": ("a.html", '<input type="password" name="p" value="{base62:14}">'),
    "a test of robots": ("a.robot", "    Input Password    id=pw    {base62:14}\n"),
    "a directory": ("a.ldif", "userPassword:: {bytes:12}"),
    "a mail that is cut": (
        "a.eml",
        "Content-Transfer-Encoding: quoted-printable\n\ntoken=3Dghp_{base62:10}=\n{base62:26} ok",
    ),
}
QUIETLY = {"a mail": ("a.md", "**Password:** {base62:14}")}
NOTHING = {
    "a public JSON Web Key": ("a.json", '{"kty":"EC","x":"{base64url:43}","y":"{base64url:43}"}'),
    "a point": ("a.json", '{"type": "path", "d": "{base64url:43}"}'),
    "a hash of a router": ("router.cfg", "enable secret 5 $1$mERr$"),
    "the community of all": ("snmpd.conf", "rocommunity public"),
    "an attribute of a culture": ("web.config", '<add key="Culture" value="{base62:32}" />'),
    "a list of Ruby": ("a.rb", "passwords = %w[one two]"),
    "a length in PHP": ("a.txt", 's:15:"password_length";s:2:"12";'),
    "a hash in a directory": ("a.ldif", "userPassword:: e1NTSEF9{base64:40}"),
    "a key of no Rails": ("config/other.txt", "{hex:32}\n"),
    "an empty field": ("a.html", '<input type="password" name="p" value="">'),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All cases in one scan: the confidences seen in each."""
    return confidences(tmp_path_factory, {**SHOWN, **QUIETLY, **NOTHING})


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_shown_by_default(found, name):
    if name == "a mail that is cut":  # its checksum is one by chance alone
        assert found[name]
    else:
        assert found[name] & {"medium", "high"}


@pytest.mark.parametrize("name", QUIETLY)
def test_it_is_shown_at_low_confidence(found, name):
    assert found[name]


@pytest.mark.parametrize("name", NOTHING)
def test_it_is_not_shown_by_default(found, name):
    assert found[name] <= {"low"}


def pdf(operators):
    packed = zlib.compress(operators)
    return (
        b"%%PDF-1.7\n4 0 obj\n<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream\n"
        b"endobj\n%%%%EOF\n" % (len(packed), packed)
    )


@pytest.mark.parametrize(
    "page", ["BT ({0}) Tj ET", "BT [({1})-12({2})] TJ ET", "BT <{3}> Tj ET"], ids=str
)
def test_what_a_page_of_a_pdf_shows_is_scanned(engine, page):
    token = github_token()
    text = page.format(token, token[:9], token[9:], token.encode().hex())
    (match,) = engine.search(pdf(text.encode()), "manual.pdf")
    assert match.secret.decode() == token
    assert "pdf" in match.decoding


def test_a_pdf_that_is_cut_or_no_pdf_is_not_damaged(engine):
    whole = pdf(b"BT (nothing) Tj ET")
    for text in (whole[:-30], whole[:60], b"%PDF-1.7\nstream\n", b"%PDF-2.0 is a version"):
        assert not engine.search(text, "manual.pdf")


def test_escapes_in_a_pdf_are_undone():
    assert shown(rb"BT (a\)b\\c\101) Tj ET") == b"a)b\\cA\n"
