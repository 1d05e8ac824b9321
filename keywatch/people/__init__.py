"""Who may look and act: accounts of people, their sessions, and tokens of programs.

Passwords are kept as argon2id hashes; cookies and tokens, which are long and random, as SHA-256.
"""
