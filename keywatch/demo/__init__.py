"""The tour: a leaked key found and locked out, a stolen one noticed, with the real commands."""
