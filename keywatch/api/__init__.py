"""The REST API, version 1: what the desk offers, for programs that carry a token."""
