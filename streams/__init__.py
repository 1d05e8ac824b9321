"""The outside world in, batches with their positions out: formats, sources, webhooks.

May import keystore, database and vocabulary.
Importing it has no side effect and starts nothing.
"""
