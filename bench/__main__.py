"""`python -m bench [--json FILE] [--rounds N] [names…]`: interleaved rounds, medians, one table."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bench import approvals, audit, backtest, commands, email, leases, page, policy, slack, wire, writer

SECONDS = 2.0
Figures = dict[str, float]


def _run(work: Coroutine[Any, Any, Figures]) -> Figures:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


BENCHES: dict[str, Callable[[], Figures]] = {
    "writer, 1 caller": lambda: _run(writer.measure(1, SECONDS)),
    "writer, 64 callers": lambda: _run(writer.measure(64, SECONDS)),
    "writer, 64 callers, log off": lambda: _run(writer.measure(64, SECONDS, audited=False)),
    "writer, 256 callers": lambda: _run(writer.measure(256, SECONDS)),
    "commands in process, 32 callers": lambda: _run(commands.measure(32, SECONDS)),
    "commands over WebSocket, 32 connections": lambda: wire.commands(32, SECONDS),
    "signed webhooks, 32 senders": lambda: wire.webhooks(32, SECONDS),
    "lease pairs, 1 caller": lambda: _run(leases.pairs(1, SECONDS)),
    "lease pairs, 32 callers": lambda: _run(leases.pairs(32, SECONDS)),
    "lease handoffs, 32 waiters": lambda: _run(leases.handoffs(32, SECONDS)),
    "lease deadlock over 100 hops, refused": lambda: _run(leases.deadlocks(100, SECONDS / 2)),
    "lease reclaims, 1,000 of a dead process": lambda: _run(leases.reclaims(1_000)),
    "mail in process, arrival to effect": lambda: _run(email.memory(SECONDS)),
    "mail in process, 2,000 waiting": lambda: _run(email.full(2_000)),
    "slack click to ack, 50/s, idle": lambda: _run(slack.clicks(SECONDS * 2, 0)),
    "slack click to ack, 50/s, 64 callers": lambda: _run(slack.clicks(SECONDS * 2, 64)),
    "slack decision to the last of 5 copies": lambda: _run(slack.copies(SECONDS)),
    "sealing entries": audit.sealing,
    "hashing stored entries": audit.hashing,
    "policy, 50 seats against 500 people": policy.matching,
    "lists among 100,000 open approvals": lambda: _run(approvals.listed(approvals.MANY)),
    "policy backtest over 100,000 requests": lambda: _run(backtest.replayed()),
    "decision among 100 and 100,000 open": lambda: _run(approvals.decided()),
    "page, first load": page.load,
    "page, queue of 5,000": lambda: page.queue(5_000),
    "page, feed of 10,000": lambda: page.feed(10_000),
    "page, a line of output": lambda: page.printed(60),
    "page, decision on 50 pages": lambda: page.decided(50),
    "page, decision on 1 page and 49 clients": lambda: page.followed(50),
}


def main() -> None:
    """Measure, print the table, and write the JSON where asked."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of names; none for all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    chosen = {
        name: bench for name, bench in BENCHES.items() if not asked.names or any(part in name for part in asked.names)
    }
    if not chosen:
        parser.error(f"no benchmark is called {' or '.join(asked.names)}; there are:\n  " + "\n  ".join(BENCHES))
    rounds: dict[str, list[Figures]] = {name: [] for name in chosen}
    for number in range(asked.rounds):
        for name, bench in chosen.items():
            print(f"round {number + 1}/{asked.rounds}  {name}", file=sys.stderr)
            rounds[name].append(bench())
    medians = {
        name: {key: statistics.median(each[key] for each in measured) for key in measured[0]}
        for name, measured in rounds.items()
    }
    for name, figures in medians.items():
        print(f"{name:42}" + "  ".join(f"{key} {value:,.2f}" for key, value in figures.items()))
    if asked.json:
        machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "platform": platform.platform()}
        asked.json.write_text(json.dumps({"machine": machine, "rounds": asked.rounds, "medians": medians}, indent=2))


if __name__ == "__main__":
    main()
