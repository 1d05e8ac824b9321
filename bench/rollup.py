"""What a plain script would do: counts by key and minute, and those far above the key's mean."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class RollUp:
    """Counts of earlier batches by key, and how many counts stood out."""

    def __init__(self) -> None:
        self._past: pd.DataFrame | None = None
        self.alerts = 0

    def add(self, counts: "pd.Series[int]") -> None:
        """Judge a batch, then take it in.

        Args:
            counts: requests by key and minute.
        """
        now = counts.groupby(level=0).agg(n="count", total="sum")
        now["squares"] = (counts * counts).groupby(level=0).sum()
        if self._past is None:
            self._past = now
            return
        known = self._past.reindex(counts.index.get_level_values(0)).fillna(0.0).to_numpy()
        n = known[:, 0].clip(min=1)
        mean = known[:, 1] / n
        deviation = (known[:, 2] / n - mean * mean).clip(min=0.25) ** 0.5
        self.alerts += int(((counts.to_numpy() - mean) > 3 * deviation)[known[:, 0] > 10].sum())
        self._past = self._past.add(now, fill_value=0.0)
