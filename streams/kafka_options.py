"""How brokers are spoken to: TLS, SASL, membership. Only what makes it safer may be set.

https://kafka-python.readthedocs.io/en/master/apidoc/KafkaConsumer.html
"""

from collections.abc import Mapping

from vocabulary.errors import ConfigError

SECURITY = {
    "security_protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "sasl_mechanism": ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"),
    "sasl_plain_username": (),
    "sasl_plain_password": (),
    "sasl_kerberos_name": (),
    "sasl_kerberos_service_name": (),
    "sasl_kerberos_domain_name": (),
    "ssl_cafile": (),
    "ssl_certfile": (),
    "ssl_keyfile": (),
    "ssl_password": (),
    "ssl_crlfile": (),
    "ssl_ciphers": (),
}
"""Setting → the values it may have; none for any."""


def security(options: Mapping[str, str], where: str) -> dict[str, str]:
    """Return settings of the client, checked before a broker is asked.

    Raises:
        ConfigError: for one that there is not, or that would switch a check off.
    """
    for name, value in options.items():
        if name not in SECURITY:
            raise ConfigError(
                f"no option {name[:64]!r}", where=where, remedy=f"there are {', '.join(SECURITY)}"
            )
        if SECURITY[name] and value not in SECURITY[name]:
            raise ConfigError(
                f"{name} is none of {', '.join(SECURITY[name])}", where=f"{where}.{name}"
            )
    if options.get("sasl_mechanism") == "PLAIN" and options.get("security_protocol") != "SASL_SSL":
        raise ConfigError(
            "a password in clear over a connection in clear",
            where=f"{where}.sasl_mechanism",
            remedy="use SASL_SSL, or SCRAM",
        )
    return dict(options)
