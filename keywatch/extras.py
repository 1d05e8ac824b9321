"""Which of keywatch's extras brings a module that is not installed."""

_EXTRAS = {
    "apprise": ("apprise",),
    "aws": ("boto3", "botocore"),
    "console": ("starlette", "anyio", "jinja2", "argon2"),
    "kafka": ("kafka", "crc32c"),
    "mcp": ("mcp",),
    "otel": ("opentelemetry",),
    "postgres": ("psycopg",),
    "re2": ("re2",),
    "redis": ("redis",),
    "spark": ("pyspark", "pyarrow"),
    "tokens": ("jwt", "cryptography"),
}


def lacking(error: ModuleNotFoundError) -> str:
    """Say what to install; an empty word for a module that is no extra's."""
    module = (error.name or "").partition(".")[0]
    extra = next((name for name, modules in _EXTRAS.items() if module in modules), "")
    if not extra:
        return ""
    return f"{module} is not installed (install keywatch[{extra}])"
