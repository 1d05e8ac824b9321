"""What the default leaves out by the form of a value and by the code around it."""

from base64 import b64encode, urlsafe_b64encode

import pytest

from scanner.tokenform import lets_nobody_in
from tests.scanner.planting import Planted


def part(text):
    """Return a part of a token (RFC 7515)."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


UNSIGNED = part('{"alg":"none","typ":"JWT"}')
SIGNED = part('{"alg":"HS256","typ":"JWT"}')
CLAIMS = part('{"sub":"ada","iss":"acme","scope":"all of it"}')
SEALED = part(
    f'{{"seal":"{b64encode(bytes(range(150, 182))).decode()}",'
    f'"body":"{b64encode(bytes(range(160, 208))).decode()}","iat":1607033550}}'
)
GRANTED = part(
    f'{{"seal":"{b64encode(bytes(range(150, 182))).decode()}",'
    f'"body":"{b64encode(bytes(range(160, 208))).decode()}","scope":"all of it"}}'
)
ORDER = "7KD31902" + "26451882M"
AGAIN = b64encode(b"harborharborharborveryquiet").decode()
PAGE = b64encode(b'{"page":2,"limit":50}').decode()
GRANT = b64encode(b'{"token":2,"limit":50}').decode()
FOUR_WORDS = b64encode(b"key_for_a_demo_alone").decode()
QUIET = {
    "an unsigned token": ("src/a.js", f"h = 'Bearer {UNSIGNED}.{CLAIMS}.'\n"),
    "signs behind a header": ("src/a.go", f'token := "{SIGNED}.abc123.def456"\n'),
    "the number of a page": ("spec/a.ts", f'const base64Token = "{PAGE}"; // of a page\n'),
    "words in base64": ("src/a.py", f'STORAGE_KEY = "{FOUR_WORDS}"\n'),
    "a key of a manual that was changed": (
        ".env",
        "AWS_SECRET=wJalr" + "XUtnFEMI/K7MDEN{base62:20}\n",
    ),
    "hex that counts": (".env", "INFURA_API_KEY=a1b2c3d4" + "e5f6a7b8c9d0e1f2a3b4c5d6\n"),
    "the word for it in signs": ("src/a.erl", "%% <user name='ada' password='s3crEt'>\n"),
    "the word for it in a text": ("SETUP.md", "run it with --password=tops3cret first\n"),
    "a value for a token": ("src/a.go", 'token := "base64tokenvalue"\n'),
    "words with humps and numbers": ("src/a.js", "token = deploy('ERC1155BurnableOverrideMock')\n"),
    "a place in a storage": ("a.sol", "bytes32 constant TOKEN_STORAGE_SLOT = 0x{hex:64};\n"),
    "what a file sums up to": ("src/a.rb", "#   /etc/passwd: {hex:32}\n"),
    "a directive of nginx": ("a.json", "\"set proxy_pass 'http:\\\\/\\\\/127.0.0.1:4430'\"\n"),
    "a member of a class": ("a.dart.js", 'C.pw=new M.bX("Group2.POTATOES")\n'),
    "an atom of a header": (
        "include/A.hrl",
        "userIdentity = asn1_NOVALUE, oldPasswd = asn1_NOVALUE, newPasswd = asn1_NOVALUE}).\n",
    ),
    "what a token is checked with": (
        "spec/validation.spec.js",
        "const isValid = validateRequestWithBody(token, '{base64:27}=', shortUrl, body);\n",
    ),
    "what is expected of a call": (
        "test/server/insecurity.unit.test.ts",
        "assert.equal(security.hmac('password'), '{hex:64}')\n",
    ),
    "what is to be read": ("src/a.erl", 'decode_password(<<"storage:bookmarks">>,\n'),
    "a folder of a person": (
        "tools-1.3.3/config.status",
        "ac_pwd='/Users/ada.king9/src/parts_x/apps/tools-1.3.3'\n",
    ),
    "an expression of Perl": ("CGI.pl", "password = '@{[Quoted($crypted)]}'\n"),
    "what a form was sent with": ("a.cfg", "URL=https://a.b/x?token=1531926582-{hex:32}&l=2\n"),
    "names that a compiler wrote": ("a/lexers.pyc", "passwd:gidz\npasswd:namez\n"),
    "what names a credential": ("t/a.t", "x-credential-identifier: {uuid}\n"),
    "what is negated": ("build/a.js", "const pass = !received;\n"),
    "between signs of percent": ("src/A.cs", '(@"%PASSWORD:{HEX:32}%")\n'),
    "parts of a name": ("a.json", '"id": "patch:npm:jsonwebtoken:20150331:0",\n'),
    "what is encrypted with a tag": ("data/users.yml", "totpSecret: {hex:32}:{hex:32}:{hex:96}\n"),
    "a public key of a curve": ("src/a.ts", "privateKey: '0x02{hex:64}'\n"),
    "a link behind a name": ("a.html", '"PASSWORDED.ZIP"><a href="#l17_{hex:40}">\n'),
    "a report in a format of reports": ("reports/a.sarif", "token', '{base62:40}'\"\n"),
    "a negative number": ("a.md", "https://a.b/c?rpctoken=-2128120524869471217\n"),
    "a key of stored credentials": ("Jenkinsfile", "snykTokenId: '{uuid}',\n"),
    "an id in a signed address": ("a.env", "X-Amz-Credential=AKIA{aws}%2F20260102%2Fx\n"),
    "a picture in base64": ("a.resx", "        {repeat:A:20}{base62:60}\n"),
    "an envelope that is signed": (".safe", f'"Tokens": ["{SIGNED}.{SEALED}.{{base64url:43}}"]\n'),
    "an envelope in an assignment": ("a.cfg", f"TOKEN={SIGNED}.{SEALED}.{{base64url:43}}\n"),
    "what nobody signed": ("a.cfg", f"TOKEN={UNSIGNED}.{CLAIMS}.{{base64url:43}}\n"),
    "a token of a form": ("src/a.php", "$edit['form_token'] = '{base64url:43}';\n"),
    "what a server puts in later": (
        "src/a.php",
        '\'<acme-placeholder callback="a::b" arguments="0" token="{base64url:43}">\',\n',
    ),
    "what a server calls later": (
        "src/a.php",
        "$a->placeholder = 'callback=%5CAcme%3A%3Arender&args%5B0%5D=1&token={base64url:43}';\n",
    ),
    "a word again and again": (".env", "JWT_SECRET=riverriverriververysafe9\n"),
    "a word again in base64": ("src/a.hs", f'secret = B64.decodeLenient "{AGAIN}"\n'),
    "a word for it of one's own": ("deploy/map.yaml", '    SECRET_KEY: "My0wnS3cr3tWord"\n'),
    "what was taken out": ("src/a.clj", '(replace-kv :password [:password "SCRUBBED"])\n'),
    "an option without a value": (
        "appveyor.yml",
        "- lftp -c 'pwd .' -u ada --env-password mirror-acme.com\n",
    ),
    "the key of a search": (
        "src/a.cjs",
        'const w={appId:"OFC{digits:4}QX",apiKey:"{hex:32}",indexName:"of-all"},E=n(w)\n',
    ),
    "a variable beside it": ("src/a.erl", 'post(RegURL, Token, <<"{base64:43}=">>, <<"foo">>),\n'),
    "an id of the line": (
        "a.php",
        f'\'{{"id":"{ORDER}","href":"https://a.b/c?token={ORDER}"}}\'\n',
    ),
    "a part of another address": (
        "a.php",
        f'"https:\\/\\/a.b\\/orders\\/{ORDER}","rel":"a","h":"https:\\/\\/a.b\\/c?token={ORDER}"\n',
    ),
    "a name and signs behind it": ("pillar.yml", "aws_secret: AWSSECRET{base62:28}\n"),
    "a signed address of a picture": (
        "src/a.js",
        "// https://a.b/c/d.png?sv=2021-08-06&st=2022-12-02&sr=b&sp=r&sig={base62:43}%3D\n",
    ),
    "a seed within an id": ("a.wxs", 'Id="A12FA1F52CAD" Directory="ROOTDIRECTORYOFALL"\n'),
}
SHOWN = {
    "a signed token": ("src/a.js", f"h = 'Bearer {SIGNED}.{CLAIMS}.{{base64url:43}}'\n"),
    "a grant in base64": ("src/a.ts", f'const accessToken = "{GRANT}";\n'),
    "a key of AWS": (".env", "AWS_SECRET_ACCESS_KEY={base64:40}\n"),
    "hex by lot": (".env", "INFURA_API_KEY={hex:32}\n"),
    "a weak password": ("src/a.js", "x({password: 'harb0ur{digits:3}'})\n"),
    "a word in signs of a configuration": ("app.yml", "password: pass" + "w0rd\n"),
    "a token with humps": ("src/a.js", "token = '{base62:27}'\n"),
    "a key of a contract": ("a.sol", "bytes32 constant PRIVATE_KEY = 0x{hex:64};\n"),
    "a password behind a path": ("a.yml", "/run/password: {base62:16}\n"),
    "a password of a proxy": ("a.conf", "proxy_password '{base62:14}'\n"),
    "an argument behind the secret": ("src/a.py", "sign(secret, '{base62:32}')\n"),
    "the password of a call": ("test/a.ts", "login('ada', password('{base62:16}'))\n"),
    "what a call decodes": ("src/A.java", 'String password = decode("{hex:40}");\n'),
    "a made password that a compiler wrote": ("a/conf.pyc", "password:{base62:24}\n"),
    "a UUID that is one": ("app.env", "API_KEY={uuid}\n"),
    "a password with a mark": ("a.env", "PASSWORD=!{base62:14}\n"),
    "a password with a percent": ("a.env", "PASSWORD:{base62:14}%\n"),
    "a password behind two names": ("a.env", "PASSWORD:db:{base62:14}\n"),
    "a private key of a curve": ("src/a.ts", "privateKey: '0x{hex:64}'\n"),
    "a key id": (".env", "AWS_ACCESS_KEY_ID=AKIA{aws}\n"),
    "a bearer token": (".env", "TWITTER_BEARER={repeat:A:21}{base62:30}%3D{base62:50}\n"),
    "a token with a scope": ("a.cfg", f"TOKEN={SIGNED}.{GRANTED}.{{base64url:43}}\n"),
    "a token of a platform": ("src/a.php", "$edit['platform_token'] = '{base64url:43}';\n"),
    "a token of an element": ("src/a.html", '<acme-login user="ada" token="{base64url:43}">\n'),
    "a token of a callback": (
        "src/a.php",
        "$a->address = 'https://a.b/c?callback=render&args%5B0%5D=1&token={base64url:43}';\n",
    ),
    "a picture of a build": (
        "README.md",
        "![Status](https://circleci.com/gh/acme/app.png?circle-token={hex:40})\n",
    ),
    "a secret of a configuration": ("run/config", 'jwt-secret = "{base62:31}"\n'),
    "a secret in base64": ("src/a.hs", 'secret = B64.decodeLenient "{base64:43}="\n'),
    "a password of one's own": ("deploy/map.yaml", '    SECRET_KEY: "MyS3cr{base62:12}"\n'),
    "a password that is put in": (
        "src/a.clj",
        '(replace-kv :password [:password "{base62:14}"])\n',
    ),
    "an option with its value": ("ci.yml", "  - acme -u ada --new-password {base62:14} 2>&1\n"),
    "a key that is no search's": (
        "src/a.cjs",
        'const w={appId:"OFC{digits:4}QX",apiKey:"{hex:32}",owner:"of-all"},E=n(w)\n',
    ),
    "a token that is sent": ("src/a.erl", 'post(RegURL, [{token, <<"{base64:43}=">>}]),\n'),
    "a token beside an id": (
        "a.php",
        f'\'{{"id":"{ORDER}","href":"https://a.b/c?token={{base62:28}}"}}\'\n',
    ),
    "a token beside another address": (
        "a.php",
        f'"https:\\/\\/a.b\\/orders\\/{ORDER}","h":"https:\\/\\/a.b\\/c?token={{base62:28}}"\n',
    ),
    "a secret behind its name": ("pillar.yml", "aws_secret: {base62:37}\n"),
    "a signed address of a container": (
        "src/a.js",
        "u = 'https://a.b/c/d.png?sv=2021-08-06&se=2022-12-02&sr=c&sp=rl&sig={base62:43}%3D'\n",
    ),
    "a seed": ("src/a.js", "const otpSecret = '{base32:32}'\n"),
}


class TestFormsOfValues(Planted):
    quiet, shown = QUIET, SHOWN


@pytest.mark.parametrize(
    ("value", "nobody"),
    [
        (f"{UNSIGNED}.{CLAIMS}.", True),
        (f"{UNSIGNED}.{CLAIMS}", True),
        (f"{UNSIGNED}.{CLAIMS}.{'a1B2' * 10}", True),
        (f"{SIGNED}.{CLAIMS}.{'a1B2' * 10}", False),
        (f"{SIGNED}.{part('no claims at all, but long')}.{'a1B2' * 10}", False),
        ("eyJ.eyJ.", False),
        (PAGE, True),
        (GRANT, False),
    ],
    ids=[
        "unsigned",
        "cut",
        "signed for nothing",
        "signed",
        "odd claims",
        "no token",
        "a page",
        "a grant",
    ],
)
def test_a_token_without_a_signature_lets_nobody_in(value, nobody):
    assert lets_nobody_in(value) is nobody
