"""A request's headers in; allow, throttle or deny out, in well under a millisecond.

May import keystore, database and vocabulary.
Importing it has no side effect and starts nothing.
"""
