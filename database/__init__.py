"""Every table, the single migration history, dialects and transactions of the one database.

May import vocabulary.
Importing it has no side effect and starts nothing.
"""
