"""A verb: one thing that somebody can ask of the hub, in every channel alike.

A command family is a module with `VERBS: tuple[Verb, ...]`, registered in the entry-point group
`interlock.commands`. Each verb has a pydantic model of its arguments, one function over the transaction
and a stated permission; the hub does not start with a verb that states none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from core.cause import Cause
from core.errors import Invalid, Refusal
from core.people.assurance import Assurance
from core.people.directory import Principal
from core.store.rows import Reader
from core.store.tx import Tx
from core.world import World


class Permission(StrEnum):
    """Who may ask for a verb. `DECIDE` is for people alone, whatever the configuration (P12)."""

    KNOWN = "known"
    REQUEST = "request"
    READ = "read"
    LEASE = "lease"
    DECIDE = "decide"
    RESOLVE = "resolve"
    BREAK = "break"
    STOP = "stop"
    FREEZE = "freeze"
    OVERRIDE = "override"
    AUTOMATION = "automation"
    CHECKED = "checked"
    """The function itself says who may, because it depends on what is named (stop: requester, approver, right)."""


class Args(BaseModel):
    """What every argument model does: refuse what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=8192)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks, from where, how strongly proved, and under which configuration."""

    world: World
    principal: Principal
    channel: str
    assurance: Assurance
    may_decide: bool = True
    """False for a key made with `--no-decide`."""
    address: str | None = None
    said_at_us: int | None = None
    message_id: str | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    """What proved them, for receipts: which key, session or signature; never a secret."""
    cause: Cause | None = None
    """The schedule or trigger for which the hub itself gives the command; None for what somebody sent."""
    linked: str | None = None
    """The identity by which they came when they bound it to themselves: it must still be theirs in the transaction."""
    private: bool = False
    """True where the answer reaches the asker and nobody else, so that it may hold a secret of theirs."""
    typed: bool = False
    """True for words that a person typed: a decision without a digest is then answered with the card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a verb did: words for people, and data for programs."""

    text: str
    approval: int | None = None
    """The approval whose card and JSON go with the answer."""
    data: Mapping[str, Any] = field(default_factory=dict)
    ok: bool = True
    code: str | None = None
    refusal: Refusal | None = None
    """A refusal whose effects stand (a request that closed a cycle is in the log as such): given once it is durable."""
    said_again: str | None = None
    """What a repetition is answered with, and what is stored, where `text` is a secret."""
    record: bool = True
    """False where the effect's own log entry says everything and `command:received` would repeat it."""


class Desk(Protocol):
    """What a verb's `prepare` may use: reads and slow work, outside any transaction."""

    @property
    def now_us(self) -> int:
        """The hub's time; guards use the store's, in the transaction."""
        ...

    @property
    def public_url(self) -> str:
        """Where people find the hub."""
        ...

    async def read(self, fn: Callable[[Reader], Any]) -> Any: ...

    def secret(self, context: str, value: str) -> bytes:
        """`value` sealed for `context`."""
        ...


Prepare = Callable[[Desk, Call, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What `all` stands for: each item with the arguments that it is decided with, and what is left out, in words."""

    items: Mapping[str, Mapping[str, Any]]
    left: str = ""


Run = Callable[[Tx, Call, Any, Any], Outcome]
Look = Callable[[Reader, Call, Any], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb. `run(tx, call, args, prepared)` is its effect; it may run again and touches only `tx`.

    A verb that only looks has `look(reader, call, args)` in its place: it reads beside the writer, which then records
    that it was asked and keeps the answer.
    """

    name: str
    args: type[Args]
    permission: Permission
    usage: str
    """How it is typed: `approve <ids…> [because <reason>]`."""
    summary: str
    run: Run | None = None
    look: Look | None = None
    prepare: Prepare | None = None
    """Slow or impure work before the transaction: CEL, hashing. Its result reaches `run` as `prepared`."""
    positional: tuple[str, ...] = ()
    """Argument names in typing order; the last may take the rest (`rest`)."""
    rest: str | None = None
    """The argument that takes all remaining words as a list."""
    keyed: str | None = None
    """The argument that collects `key=value` words as a mapping."""
    because: str | None = None
    """The argument that `because …` fills."""
    clauses: Mapping[str, str] = field(default_factory=dict)
    """Keyword -> argument, for `for 30m`, `to @bo`, `until friday`."""
    wraps_request: bool = False
    """True for a verb before an action: `<verb> <action> <args…> [because …]`, whose arguments are a request's."""
    stands_for: str | None = None
    """The verb of which it is another name."""
    each: str | None = None
    """The argument whose items are handled one by one, each in a transaction of its own with an answer of its own."""
    command: str | None = None
    """The argument that takes what stands after the positional ones and the clauses: a whole command, read at once."""
    spread: Callable[[Reader, Call, Any], Spread] | None = None
    """For a verb with `each`: which items `all` names, read before any of them is handled."""
    structured: bool = False
    """True for a verb that only programs send (heartbeats): it is not typed and not in `help`."""
    urgent: bool = False
    """Decisions, stops, heartbeats, releases: first in the writer's queue, never limited by the reserve."""
    unlimited: bool = False
    """Stop is never rate-limited."""
    people_only: bool = False
    """True for what lets go on what was held back, or says how it ended: beside the right it takes a person (P12)."""
    locks: tuple[str, ...] = ()
    """What the function changes beside its own rows (core.leases.terms.LEASE_LOCKS); locked first on PostgreSQL."""

    def read(self, given: Mapping[str, Any]) -> Any:
        """The arguments as its model. Raises Invalid `usage`."""
        try:
            return self.args.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "arguments"
            what = "is missing" if first["type"] == "missing" else first["msg"]
            raise Invalid("usage", f"{where}: {what}. Type it as: {self.usage}", field=where) from None
