"""How to ask a few providers whether they accept a secret: a request that changes nothing.

Sources: each provider's API reference, as named.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from scanner.verify.client import Answer


def by_status(answer: Answer) -> str:
    """Read an answer of an API that refuses with 401; what only lacks a right is a key as well."""
    if answer.status in {200, 403}:
        return "active"
    return "inactive" if answer.status == 401 else "unknown"  # noqa: PLR2004


def _strict(answer: Answer) -> str:
    """Read an answer of an API that also refuses networks or clients with 403."""
    return "unknown" if answer.status == 403 else by_status(answer)  # noqa: PLR2004


def _slack(answer: Answer) -> str:
    if answer.status != 200 or not answer.body.startswith(b"{"):  # noqa: PLR2004
        return "unknown"
    if b'"ok":true' in answer.body.replace(b" ", b""):
        return "active"
    gone = (b"invalid_auth", b"account_inactive", b"token_revoked", b"token_expired")
    return "inactive" if any(word in answer.body for word in gone) else "unknown"


def _telegram(answer: Answer) -> str:
    if answer.status == 200 and b'"ok":true' in answer.body:  # noqa: PLR2004
        return "active"
    return "inactive" if answer.status in {401, 404} else "unknown"


@dataclass(frozen=True, slots=True)
class Provider:
    """One way to ask.

    Attributes:
        rules: ids of the rules whose secrets are asked about here.
        path, headers: `{}` stands for the secret.
        says: answer → active, inactive or unknown.
    """

    rules: frozenset[str]
    host: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    says: Callable[[Answer], str] = by_status


def _rules(*names: str) -> frozenset[str]:
    return frozenset(names)


_BEARER = {"Authorization": "Bearer {}"}

PROVIDERS = (
    # docs.github.com/rest/users/users#get-the-authenticated-user
    Provider(
        _rules(
            "github-personal-access-token", "github-oauth-token", "github-app-user-token",
            "github-fine-grained-token",
        ),
        "api.github.com", "/user", {**_BEARER, "Accept": "application/vnd.github+json"},
        says=_strict,
    ),
    # docs.github.com/rest/apps/installations#list-repositories-accessible-to-the-app-installation
    Provider(
        _rules("github-app-installation-token"),
        "api.github.com", "/installation/repositories?per_page=1",
        {**_BEARER, "Accept": "application/vnd.github+json"}, says=_strict,
    ),
    # docs.gitlab.com/api/personal_access_tokens
    Provider(
        _rules("gitlab-personal-access-token", "gitlab-routable-token"),
        "gitlab.com", "/api/v4/personal_access_tokens/self", {"PRIVATE-TOKEN": "{}"},
    ),
    # api.slack.com/methods/auth.test
    Provider(
        _rules("slack-bot-token", "slack-user-token", "slack-legacy-token"),
        "slack.com", "/api/auth.test", _BEARER, method="POST", says=_slack,
    ),
    # docs.stripe.com/api/balance
    Provider(
        _rules(
            "stripe-live-secret-key", "stripe-test-secret-key", "stripe-restricted-key",
            "stripe-restricted-test-key",
        ),
        "api.stripe.com", "/v1/balance", _BEARER,
    ),
    # platform.openai.com/docs/api-reference/models/list
    Provider(
        _rules("openai-api-key", "openai-project-key"), "api.openai.com", "/v1/models", _BEARER
    ),
    # docs.anthropic.com/en/api/models-list
    Provider(
        _rules("anthropic-api-key"), "api.anthropic.com", "/v1/models?limit=1",
        {"x-api-key": "{}", "anthropic-version": "2023-06-01"}, says=_strict,
    ),
    # www.twilio.com/docs/sendgrid/api-reference/api-key-permissions
    Provider(_rules("sendgrid-api-key"), "api.sendgrid.com", "/v3/scopes", _BEARER),
    # docs.digitalocean.com/reference/api
    Provider(
        _rules("digitalocean-personal-access-token", "digitalocean-oauth-token"),
        "api.digitalocean.com", "/v2/account", _BEARER,
    ),
    # core.telegram.org/bots/api#getme
    Provider(
        _rules("telegram-bot-token"), "api.telegram.org", "/bot{}/getMe", says=_telegram
    ),
    # discord.com/developers/docs/resources/user#get-current-user
    Provider(
        _rules("discord-bot-token"), "discord.com", "/api/v10/users/@me",
        {"Authorization": "Bot {}"}, says=_strict,
    ),
    # learning.postman.com/docs/developer/postman-api/authentication
    Provider(_rules("postman-api-key"), "api.getpostman.com", "/me", {"X-Api-Key": "{}"}),
)  # fmt: skip

HOSTS = frozenset(provider.host for provider in PROVIDERS)


def provider_of(rule: str) -> Provider | None:
    """Return where a rule's secrets are asked about; None where they are not."""
    return next((provider for provider in PROVIDERS if rule in provider.rules), None)
