"""Batches of access events and the profiles they touch in, anomalies and profile changes out.

May import keystore, database and vocabulary.
Importing it has no side effect and starts nothing.
"""
