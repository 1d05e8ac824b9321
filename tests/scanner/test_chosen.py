"""Passwords as people choose them: with an apostrophe, short, in Objective-C; and what is none."""

import pytest

from tests.scanner.planting import confidences

SHOWN = {
    "an apostrophe": ("a.py", 'password = "Zq\'{base62:12}7"\n'),
    "two apostrophes": ("a.py", "password = \"{base62:4}'{base62:4}'{base62:4}7\"\n"),
    "an escaped quote": ("a.py", 'password = "{base62:6}\\"{base62:8}7"\n'),
    "a quote of the other kind": ("a.js", "const password = 'q\"{base62:12}7';\n"),
    "an attribute": ("a.xml", '<user password="Zq\'{base62:12}7"/>\n'),
    "a macro": ("wifi.h", '#define WIFI_PASSWORD "{base62:12}7"\n'),
    "a macro of Objective-C": ("a.m", '#define kPassword @"{base62:12}7"\n'),
    "a setter of Objective-C": ("a.m", '[user setPassword:@"{base62:12}7"];\n'),
    "a dictionary of Objective-C": ("a.m", '@{@"password": @"{base62:12}7"}\n'),
    "a key of Objective-C": ("a.m", '[d setObject:@"{base62:12}7" forKey:@"password"];\n'),
    "a key of Swift": ("a.swift", 'UserDefaults.standard.set("{base62:12}7", forKey: "pwd")\n'),
    "five signs": ("a.env", "DB_PASSWORD={lower:3}7{lower:1}\n"),
    "five signs to a command": ("a.sh", "mysql -u root -px7qK2 shop\n"),
}
UNCERTAIN = {
    "a contraction": ("a.py", 'password = "it\'s-{base62:7}7"\n'),
    "words and a contraction": ("a.py", 'password = "it\'s-me-again99"\n'),
    "an escaped apostrophe": ("a.py", "password = 'it\\'s-{base62:7}7'\n"),
    "six digits": ("a.py", 'password = "198734"\n'),
    "six digits in YAML": ("a.yml", "password: 198734\n"),
    "four digits": ("a.py", 'door_password = "8392"\n'),
    "six signs in XML": ("a.xml", "<password>x7qK2a</password>\n"),
    "a word that stands for one": ("a.py", 'password = "abc-{lower:2}7{upper:2}3{lower:4}"\n'),
}
NOTHING = {
    "a sentence": ("a.py", "password = \"It's required, isn't it?\"\n"),
    "two strings": ("a.py", "password = ['a', 'bcdefg7']\n"),
    "a comparison": ("a.py", 'if password == "8392":\n'),
    "what counts up": ("a.py", 'password = "1234"\n'),
    "a length": ("a.py", 'password_length = "8392"\n'),
    "a placeholder": ("a.py", 'password = "pass12"\n'),
    "a hash": ("a.py", 'password = "$6$rounds$test"\n'),
    "a key that is no secret's": ("a.m", '[d setObject:@"{base62:12}7" forKey:@"colour"];\n'),
    "a macro that is none": ("a.h", "#define PASSWORD_MAX 128\n"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All cases in one scan: the confidences seen in each."""
    return confidences(tmp_path_factory, {**SHOWN, **UNCERTAIN, **NOTHING})


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_shown_by_default(found, name):
    assert found[name] & {"medium", "high"}


@pytest.mark.parametrize("name", UNCERTAIN)
def test_it_is_shown_at_low_confidence(found, name):
    assert found[name] == {"low"}


@pytest.mark.parametrize("name", NOTHING)
def test_it_is_not_shown(found, name):
    assert not found[name]
