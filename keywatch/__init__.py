"""The application: wiring of the rooms, configuration, command line.

May import every room; nothing imports it.
Importing it has no side effect and starts nothing.
"""
