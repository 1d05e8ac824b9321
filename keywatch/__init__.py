"""The application

May import  wiring of the rooms, configuration, command line.:every room; nothing imports it.
Importing it has no side effect and starts nothing.
"""
