"""Alerts in; incidents, decisions and effects out, once each, reversible, recorded.

May import keystore, database and vocabulary.
Importing it has no side effect and starts nothing.
"""
