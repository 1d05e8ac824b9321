"""Names of parameters, headers and fields whose values are secrets: one list for all that clean."""

CARRY_KEYS = ("api_key", "apikey", "key")
"""Names of query parameters in which API keys are sent."""

TELLING = (
    *("api_key", "api_secret", "api_token", "access_token", "refresh_token", "id_token"),
    *("auth_token", "session_token", "security_token", "private_token", "vault_token"),
    *("client_secret", "app_secret", "consumer_secret", "signing_secret", "webhook_secret"),
    *("secret_key", "secret_access_key", "shared_access_key", "account_key"),
    *("subscription_key", "functions_key", "password", "passwd", "passphrase"),
)
"""Names whose values are secrets, whatever they look like; with `_`, `-` or nothing in between."""

DOUBTFUL = ("token", "secret", "auth", "jwt", "pwd", "pass", "sig", "signature")
"""Names whose values are secrets as a rule, if they are long enough to be some."""

IN_QUERIES = frozenset(
    {name.encode() for name in (*CARRY_KEYS, *TELLING, "token", "secret", "pwd")}
    | {name.replace("_", joint).encode() for name in TELLING for joint in ("-", "")}
)
"""Names of query parameters whose values no log may hold, lower case."""
