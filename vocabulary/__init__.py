"""What flows through keywatch and what it is called: events, findings, alerts, actions, errors.

Data, and the one way of reading it from TOML: no sockets, no database.
Imports nothing of ours; every other room may import it.
"""
