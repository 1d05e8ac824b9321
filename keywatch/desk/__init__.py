"""What a person at a console, or a program at the API, can see and do: one function each.

Reading gives the structs of `contract`; doing goes through the same verbs as the command line and
is audited under the name of who asks.
"""
