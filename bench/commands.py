"""Audited commands through the whole pipeline, in process: parse, who, limits, may, one write with its entry, answer."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from bench.latency import summary
from config.hub import build
from config.init import write_sample
from config.settings import read
from core.people.assurance import Assurance
from hub.contracts import Inbound, Sender


async def measure(callers: int, seconds: float, text: str = "whoami") -> dict[str, float]:
    """Commands per second and latencies in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_sample(root, user="nobody")
        config = root / "hub.yaml"
        config.write_text(config.read_text() + "\nlimits: {commands: 100000/s, burst: 100000}\n")
        (root / "data").mkdir(mode=0o700)
        settings = read(os.environ, config=config, data=root / "data")
        async with build(settings) as hub:
            latencies: list[float] = []
            until = time.perf_counter() + seconds

            async def caller() -> None:
                inbound = Inbound(channel="bench", sender=Sender(principal="ana"), assurance=Assurance.CHAT, text=text)
                while (begun := time.perf_counter()) < until:
                    reply = await hub.handle(inbound)
                    assert reply.ok, reply.text
                    latencies.append(time.perf_counter() - begun)

            begun = time.perf_counter()
            await asyncio.gather(*(caller() for _ in range(callers)))
            took = time.perf_counter() - begun
    return summary(latencies, took)
