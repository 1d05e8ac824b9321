"""The options of a topic, as Spark's Kafka client calls them."""

from keywatch.config_streams import SourceSettings
from vocabulary.errors import ConfigError


def kafka_options(source: SourceSettings) -> dict[str, str]:
    """Return the topic's options as Spark's Kafka client calls them.

    https://kafka.apache.org/documentation/#security
    """
    from streams.kafka_options import security  # noqa: PLC0415  (only for a stream)

    given = security(source.options, "sources.options")
    options = {
        "kafka.bootstrap.servers": ",".join(source.brokers),
        "startingOffsets": "earliest",
        "kafka.isolation.level": "read_committed",
        "failOnDataLoss": "false",
    }
    user, password = (given.pop(f"sasl_plain_{name}", "") for name in ("username", "password"))
    names = {
        "security_protocol": "security.protocol",
        "sasl_mechanism": "sasl.mechanism",
        "ssl_cafile": "ssl.truststore.location",
    }
    for name, value in given.items():
        if name not in names:
            raise ConfigError(
                "Spark's Kafka client takes no such option from here",
                where=f"sources.options.{name}",
                remedy=f"there are {', '.join(names)}, sasl_plain_username, sasl_plain_password",
            )
        options[f"kafka.{names[name]}"] = value
    if "ssl_cafile" in given:
        options["kafka.ssl.truststore.type"] = "PEM"
    if user:
        kind = "plain.Plain" if given.get("sasl_mechanism") == "PLAIN" else "scram.Scram"
        module = f"org.apache.kafka.common.security.{kind}LoginModule"
        words = f"username={_quoted(user)} password={_quoted(password)}"
        options["kafka.sasl.jaas.config"] = f"{module} required {words};"
    return options


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
