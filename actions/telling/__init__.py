"""What the ways of notifying share: words, escapes, addresses, quiet hours.

Like every file of actions it may import keystore, database and vocabulary.
"""
