"""What Prometheus may scrape: counters that the hub raises as it works, and gauges read when somebody asks.

Labels come from closed lists (verbs, channels, codes, states, route templates), never from what a sender wrote.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from sqlalchemy import func, select

from core.audit.log import Committed
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_APPROVAL, _RUN, _LEASE, _DELIVERY = (
    schema.approval,
    schema.run,
    schema.lease,
    schema.delivery,
)
_COUNTS = {
    table.name: Statement(select(table.c.state, func.count().label("count")).group_by(table.c.state))
    for table in (_APPROVAL, _RUN, _LEASE, _DELIVERY)
}
_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_SLOW = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)

Counts = Mapping[str, Mapping[str, int]]
"""Table -> state -> rows."""


def read_counts(reader: Reader) -> Counts:
    """How many approvals, runs, leases and deliveries are in each state."""
    return {
        table: {row["state"]: int(row["count"]) for row in reader.all(statement)}
        for table, statement in _COUNTS.items()
    }


class Metrics:
    """One registry of its own, so that two hubs in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._commands = self._counter("commands", "Commands of proven senders.", "verb", "outcome", "channel")
        self._refusals = self._counter("refusals", "Refusals of proven senders.", "code", "channel")
        self._unproven = self._counter("unproven", "Messages whose sender proved nothing.", "channel", "code")
        self._deliveries = self._counter("deliveries", "Attempts to deliver a copy.", "channel", "outcome")
        self._batch = Histogram(
            "interlock_batch_functions",
            "Functions in one commit.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self.registry,
        )
        self._commit = Histogram(
            "interlock_commit_seconds",
            "One batch, from begin to commit.",
            buckets=_FAST,
            registry=self.registry,
        )
        self._http = Histogram(
            "interlock_http_seconds",
            "HTTP requests by route, until the answer began.",
            ("method", "route", "status"),
            buckets=_SLOW,
            registry=self.registry,
        )
        self._queue = self._gauge("writer_queue", "Functions that wait for the writer.")
        self._log = self._gauge("log_entries", "Entries in the log.")
        self._followers = self._gauge("followers", "Readers that follow the log now: SSE, WebSocket, long-polls.")
        self._websockets = self._gauge("websocket_clients", "Open WebSocket connections.")
        self._states = {
            "approval": self._gauge("approvals", "Approvals by state.", "state"),
            "run": self._gauge("runs", "Runs by state.", "state"),
            "lease": self._gauge("leases", "Leases and waiters by state.", "state"),
            "delivery": self._gauge("delivery_copies", "Copies of cards by state.", "state"),
        }
        self._children: dict[tuple[str, ...], Counter] = {}

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"interlock_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"interlock_{name}", text, labels, registry=self.registry)

    def command(self, verb: str, outcome: str, channel: str) -> None:
        """A command of a proven sender was answered; `outcome` is `ok`, `refused` or `failed`."""
        child = self._children.get((verb, outcome, channel))
        if child is None:
            child = self._children[verb, outcome, channel] = self._commands.labels(verb, outcome, channel)
        child.inc()

    def refused(self, code: str, channel: str) -> None:
        """A proven sender was refused."""
        self._refusals.labels(code, channel).inc()

    def unproven(self, channel: str, code: str) -> None:
        """A message proved nothing."""
        self._unproven.labels(channel, code).inc()

    def learn(self, entries: list[Committed]) -> None:
        """Count what the log says of deliveries."""
        for entry in entries:
            kind, _, outcome = entry.event.partition(":")
            if kind == "delivery":
                self._deliveries.labels(entry.channel or "", outcome).inc()

    def batch(self, functions: int, seconds: float) -> None:
        """The writer committed a batch."""
        self._batch.observe(functions)
        self._commit.observe(seconds)

    def http(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._http.labels(method, route, str(status)).observe(seconds)

    def websockets(self, change: int) -> None:
        """`change` WebSocket connections came (1) or went (-1)."""
        self._websockets.inc(change)

    def render(self, *, counts: Counts, queued: int, entries: int, followers: int) -> bytes:
        """The exposition text, with the gauges as they stand now."""
        self._queue.set(queued)
        self._log.set(entries)
        self._followers.set(followers)
        for table, gauge in self._states.items():
            gauge.clear()
            for state, count in counts.get(table, {}).items():
                gauge.labels(state).set(count)
        return generate_latest(self.registry)
