"""Alerts in; incidents, decisions and effects out

May import  once each, reversible, recorded.:keystore, database and vocabulary.
Importing it has no side effect and starts nothing.
"""
