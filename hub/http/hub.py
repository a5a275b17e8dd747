"""What the HTTP layer asks of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from commands.registry import Registry
from commands.verb import Call
from core.clock import Clock
from core.once import Once
from core.people.directory import Principal
from core.store.database import Database
from core.store.tx import Tx
from core.world import World
from hub.contracts import Adapter, Command, Inbound, Reply
from hub.feed import Feed
from hub.limits import Limiter
from hub.metrics import Metrics
from hub.proofs import Proofs
from hub.triggering import Triggering


class Hub(Protocol):
    """The running hub."""

    @property
    def db(self) -> Database: ...
    @property
    def world(self) -> World:
        """The configuration in force."""
        ...

    @property
    def registry(self) -> Registry: ...
    @property
    def feed(self) -> Feed: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def limiter(self) -> Limiter: ...
    @property
    def proofs(self) -> Proofs: ...
    @property
    def triggering(self) -> Triggering: ...
    @property
    def data(self) -> Path:
        """The data directory."""
        ...

    @property
    def public_url(self) -> str: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def adapters(self) -> Mapping[str, Adapter]: ...

    async def handle(self, inbound: Inbound) -> Reply:
        """The answer to a proved message; never raises Refusal."""
        ...

    async def act(self, call: Call, command: Command, *, once: Once | None = None) -> Reply:
        """The reply of one command. Raises the Refusal, which is recorded by then."""
        ...

    def unproven(self, channel: str, code: str) -> None:
        """Count a message whose sender proved nothing."""
        ...

    def tell(self, tx: Tx, principal: Principal, text: str) -> object:
        """Let a person know, once the transaction is durable, what was made in their name."""
        ...

    async def reload(self) -> list[str]:
        """Problems of the configuration on disk; [] when it is in force."""
        ...

    async def checkpoint(self) -> str:
        """A signed checkpoint over everything committed so far, as a note."""
        ...

    def checkpoint_key(self) -> str:
        """The verifier key of the checkpoints, as text."""
        ...

    def output_so_far(self, run: int) -> str | None:
        """The end of what a run under way in this process has said; None for one that is not."""
        ...

    def state(self, text: str) -> str:
        """The note of a statement, signed by that key."""
        ...

    def health(self) -> Mapping[str, Any]:
        """How each part is."""
        ...
