"""How often somebody may ask: the generic cell rate algorithm (GCRA), in memory, by the monotonic clock.

One number a key: the theoretical arrival time of the next request that fits the rate. A refused request costs
nothing. Keys whose debt is paid are forgotten, so the table holds only who asked lately.
"""

from __future__ import annotations

KEYS = 10_000
"""Keys held before those without debt are swept out."""


class Limiter:
    """Token buckets by key: `burst` at once, then `rate` a second."""

    def __init__(self, *, keys: int = KEYS) -> None:
        self._arrivals: dict[str, float] = {}
        self._keys = keys
        self._swept_at = float("-inf")

    def take(self, key: str, rate: float, burst: int, now: float) -> float:
        """0.0 when the request fits, which counts it; else after how many seconds it would.

        `now` is the monotonic clock's. When more keys are in debt than the table holds, a new key is refused for a
        second: closed, not open.
        """
        interval = 1.0 / rate
        arrival = self._arrivals.get(key)
        if arrival is None:
            if len(self._arrivals) >= self._keys:
                self._sweep(now)
                if len(self._arrivals) >= self._keys:
                    return 1.0
            arrival = now
        elif arrival < now:
            arrival = now
        early = arrival - now - (burst - 1) * interval
        if early > 1e-9:
            return early
        self._arrivals[key] = arrival + interval
        return 0.0

    def _sweep(self, now: float) -> None:
        if now - self._swept_at < 1.0:  # a full table must not make each refusal dear
            return
        self._swept_at = now
        self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now}

    def __len__(self) -> int:
        return len(self._arrivals)
