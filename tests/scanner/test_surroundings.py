"""What the default leaves out by what a line or a file says of it, and what stays shown."""

from base64 import b85encode
from hashlib import sha512

import pytest

from scanner.generators import expand
from scanner.placeholder import invented
from tests.scanner.planting import Planted

BASE85 = b85encode(sha512(b"an archive 10").digest()).decode()
COUNTING = bytes(range(32)).hex()
QUIET = {
    "a hash in a report": ("found.json", '"hashed_secret": "{hex:40}",\n'),
    "a version of an image": ("Dockerfile", "FROM acme/wrongsecrets:ctfdtest11-no-vault\n"),
    "a version in a chart": ("a.yml", "  - image: acme/webtokens:challenge{digits:2}-k8s\n"),
    "the working directory": ("a.sh", 'if [[ "$(pwd)" != *"scripts"* ]]; then\n'),
    "a contract": ("a.md", "read the secret of the contract `0x{hex:40}` there\n"),
    "a time": ("a.json", '{"emailpassword": 1702{digits:6}}\n'),
    "a number of a system": ("src/a.py", "FILTER_E_PASSWORD = -2147215605\n"),
    "a checksum of a package": ("Podfile.lock", "  AppAuth: {hex:40}\n"),
    "an id that is told": ("a.md", "With the SuperTokens userId as `{hex:8}-{hex:4}-{hex:12}`\n"),
    "a line of base85": ("a.py", f"{BASE85}pwd=>{BASE85[:22]}\n"),
    "a member that is none": ("src/a.cpp", 'const Id KeePass::CIPHER_A = Id("{hex:32}");\n'),
    "an id that is made": ("src/a.cpp", 'Id PasswordKey = QUuid("{uuid}");\n'),
    "numbers that count": ("src/a.go", f'secret := Decoded("{COUNTING}")\n'),
    "very few signs": ("a.tsx", 'secretKey="c0b0c0a0b0c0a0b0c0a0b0c0a0b0c0a0"\n'),
    "a payment": ("a.rb", "authorize(300, :token => 'EC-{BASE36:17}')\n"),
    "a field of a form": ("a.rb", "hidden_field_tag 'token', '{base62:24}'\n"),
    "a consumer": ("rfc.txt", 'oauth_consumer_key="{base36:16}",\n'),
    "a signature of a channel": ("a.php", """'{"auth":"{lower:14}:{hex:64}"}'\n"""),
    "a key with what it signs": ("a.php", """'{"auth":"acmeauthkey:{hex:64}"}'\n"""),
    "what a server asks for": ("a.ex", '"Bearer resource_metadata="\n'),
    "an id of a request": ("a.xml", "<c:requestToken>{base64:72}</c:requestToken>\n"),
    "an expression of a country": ("src/a.go", '"PW": `^96940$`,\n'),
    "a salt": ("a.exs", 'secret_salt: "{base64url:22}",\n'),
    "an encrypted value": ("a.md", ':secret=>"rJ0s--{base64:26}--{base64:22}=="\n'),
    "a marked key": ("a.rb", 'secret_access_key: "{base64:28}EXAMPLEKEY",\n'),
    "a token cut short": ("a.py", 'print("echo USER_TOKEN=github_pat_{base62:40} > .env")\n'),
    "words for a passphrase of a network": ("w.conf", "psk=" + '"mypassphrase"\n'),
    "words of a playbook": ("a.yml", "ansible_become" + "_pass: user1_password\n"),
    "a name in signs": ("hosts.template", "web ansible_password=@PASSWORD ansible_port=@PORT\n"),
    "words of a client": ("a.js", 'clientSecret: "clientsecret1"\n'),
    "a search key": ("docusaurus.config.js", "algolia: {\n  apiKey: '{hex:32}',\n}\n"),
    "a key of a list": ("a.rs", 'pk: ["{hex:64}"]\n'),
}
SHOWN = {
    "a key of two parts": ("a.php", "'api_key' => '{lower:14}:{hex:64}',\n"),
    "a secret that is hashed later": ("app.env", "HASHING_SECRET={hex:40}\n"),
    "a secret behind a path": ("a.yml", "  acme/webtokens: {base62:32}\n"),
    "a password that ends as base64 does": ("a.ts", "password: '{base62:35}='\n"),
    "a password in quotes": ("a.sh", 'pwd="{base62:14}"\n'),
    "a key of a wallet": ("a.env", "PRIVATE_KEY=0x{hex:64}\n"),
    "digits that are no time": ("app.yml", "password: 93{digits:8}\n"),
    "a password with a sign before": ("app.yml", "password: -{base62:12}\n"),
    "a token that is no sum": ("pods.yml", "  app_token: {hex:40}\n"),
    "a password behind an id": ("a.md", "user id: 7, password: `{base62:14}`\n"),
    "a password in a short line": ("a.env", "pwd=>{base62:14}\n"),
    "a member that is one": ("src/a.cpp", 'const Str Vault::PASSWORD = Str("{base62:20}");\n'),
    "numbers by lot": ("a.go", 'secret := "{hex:64}"\n'),
    "another payment": ("a.rb", "authorize(300, :token => 'EC{base62:30}')\n"),
    "a secret of a consumer": ("a.py", 'oauth_consumer_secret="{base62:32}"\n'),
    "a token in an element": ("a.xml", "<c:accessToken>{base62:72}</c:accessToken>\n"),
    "a password of a map": ("src/a.go", '"db_pw": `{base62:14}`,\n'),
    "a bearer": ("a.sh", 'curl -H "Authorization: Bearer {base62:40}"\n'),
    "a secret beside a salt": ("a.exs", 'salted_secret: "{base64url:32}",\n'),
    "a key of a shop": ("a.rb", 'secret_access_key: "{base64:40}",\n'),
    "a playbook's password": ("a.yml", "ansible_become_pass: harbour{digits:4}\n"),
    "a client's secret": ("a.js", 'clientSecret: "{base62:32}"\n'),
    "another key of a documentation": ("docusaurus.config.js", "apiSecret: '{base62:32}',\n"),
    "a key named shortly": ("a.rs", 'pk = "0x{hex:64}"\n'),
}


class TestWhatALineSays(Planted):
    quiet, shown = QUIET, SHOWN


@pytest.mark.parametrize(
    "value", ["1a2b3c4d5e6f7g8h9i0j1k2l", "a123b45c6d78e90f12a34bc5d6e7f8a9b0c1"]
)
def test_what_counts_with_signs_between_is_invented(value):
    assert invented(value.encode()) == "counts up"


def test_random_values_are_not_invented():
    values = (expand("{hex:64}", str(seed)).encode() for seed in range(500))
    assert not any(map(invented, values))
