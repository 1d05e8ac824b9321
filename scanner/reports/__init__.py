"""How findings are written: one file a format."""
