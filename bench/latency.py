"""Latencies, summed up the same way for every benchmark."""

from __future__ import annotations


def summary(latencies: list[float], took: float, count: int | None = None) -> dict[str, float]:
    """How many a second (of `count`, else of the latencies), and the median and 99th percentile in milliseconds."""
    latencies.sort()
    return {
        "per_second": (count if count is not None else len(latencies)) / took,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
    }
