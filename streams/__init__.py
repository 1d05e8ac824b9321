"""The outside world in, batches with their positions out

May import  log formats, sources, webhooks, queues.:keystore, database and vocabulary.
Importing it has no side effect and starts nothing.
"""
