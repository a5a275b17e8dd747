"""What the HTTP layer asks of the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from commands.registry import Registry
from commands.verb import Call
from core.clock import Clock
from core.once import Once
from core.people.directory import Principal
from core.store.database import Database
from core.store.tx import Tx
from core.world import World
from hub.contracts import Adapter, Command, Inbound, Reply
from hub.doorman import Doorman
from hub.feed import Feed
from hub.limits import Limiter
from hub.metrics import Metrics
from hub.outputs import Outputs
from hub.proofs import Proofs
from hub.triggering import Triggering

if TYPE_CHECKING:
    from hub.openid import OpenId


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
    def doorman(self) -> Doorman: ...
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

    @property
    def outputs(self) -> Outputs:
        """What runs print."""
        ...

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

    @property
    def openid(self) -> OpenId | None:
        """The client of the OpenID provider; None where none is configured."""
        ...

    def by_email(self, channel: str, email: str) -> str | None:
        """The one person with that address whom nothing else says who they are on the channel."""
        ...

    async def bind(self, principal: str, channel: str, identity: str) -> None:
        """An account that the person proved to be theirs is bound to them. Raises Refusal."""
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
