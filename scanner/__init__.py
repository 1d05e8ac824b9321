"""Bytes in, findings out

May import  rules, matching, decoding, confirmation, attribution, reports, redaction.:keystore, database and vocabulary.
Importing it has no side effect and starts nothing.
"""
