"""Secret-shaped values, made when they are needed so that none stands in this repository."""

import random
import string

from scanner.checksum import append

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def github_token(seed=1):
    body = "".join(random.Random(seed).choices(BASE62, k=30))
    return "ghp" + "_" + body + append("github", body)


def password(seed=1, length=18):
    return "".join(random.Random(seed).choices(BASE62 + "!%&*", k=length))
