"""Sources: one file each. A source gives chunks of lines with the position behind them."""
