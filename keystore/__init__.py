"""Keys and other identities, their states, audit log and change feed; generating, parsing, hashing.

May import database and vocabulary.
Importing it has no side effect and starts nothing.
"""
