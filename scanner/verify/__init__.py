"""Asking providers whether they accept what was found: off unless a person asks for it.

`scanner.verify.client` is the only part of the scanner that speaks to the network beside git, and
speaks to nobody but the hosts that `scanner.verify.providers` names.
"""

from scanner.verify.verifier import Verifier

__all__ = ["Verifier"]
