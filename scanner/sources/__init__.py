"""Where texts come from: one file a source."""
