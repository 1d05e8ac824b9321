"""Bytes in, findings out: rules, matching, decoding, attribution, reports, redaction.

May import keystore, database and vocabulary.
Importing it has no side effect and starts nothing.
"""
