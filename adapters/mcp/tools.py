"""The tools: what each takes, what it is for, and which verb of the hub it becomes. Pure but for the talk it is given.

A tool never decides: `VERBS` lists every verb that any of them can reach, and a test holds that none of those decides,
resolves, breaks or overrides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from hub.contracts import Reply

LONGEST_WAIT_SECONDS = 50.0
"""Clients give up on a tool after about a minute."""
VERBS = frozenset(
    {
        *("help", "request", "edit", "submit", "withdraw", "show", "queue", "who", "history"),
        *("lease-acquire", "lease-poll", "lease-cancel", "lease-heartbeat", "lease-release"),
        *("heartbeat", "ack", "work-claim", "work-report", "work-conclude"),
    }
)
_GOES_ON = frozenset({"SUBMITTED", "REVIEWING", "APPROVED", "APPLYING", "ROLLING_BACK"})


class Talk(Protocol):
    """The hub, as one proven caller speaks with it."""

    async def act(self, verb: str, args: Mapping[str, Any], *, key: str | None = None) -> Reply:
        """The reply to a command; under `key` a repeated one acts once and gets the first answer."""
        ...

    async def card(self, approval: str) -> Reply:
        """As `show` answers, without an entry in the log."""
        ...

    async def watch(self, subject: str, seconds: float, look: Callable[[], Awaitable[tuple[bool, Reply]]]) -> Reply:
        """The reply of the first look that is done, or of the last one when the time is over."""
        ...


class Arguments(BaseModel):
    """What every tool's arguments do: refuse what they do not know."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Arguments):
    """No arguments."""


class Request(Arguments):
    """What to do and why."""

    action: str = Field(max_length=64, description="An action that `actions` lists.")
    params: dict[str, Any] = Field(default_factory=dict, description="Its parameters, by name.")
    reason: str = Field(
        min_length=1, max_length=4096, description="Why. People read it beside what would run, marked as your claim."
    )
    key: str | None = Field(
        default=None, min_length=1, max_length=255, description="Any text of yours: asking again under it asks once."
    )


class Revise(Arguments):
    """A request that was sent back, changed and handed in again."""

    id: str = Field(max_length=32, description="The request, like A142.")
    params: dict[str, Any] = Field(default_factory=dict, description="What is different; the rest stays.")
    reason: str | None = Field(default=None, max_length=4096)


class One(Arguments):
    """One request."""

    id: str = Field(max_length=32, description="The request, like A142.")


class Wait(One):
    """Which request, and how long."""

    seconds: float = Field(default=LONGEST_WAIT_SECONDS, ge=0, le=LONGEST_WAIT_SECONDS)


class Lease(Arguments):
    """What to hold, or which place in the queue to ask about."""

    resources: list[str] = Field(default_factory=list, max_length=64, description="kind:name, like env:prod.")
    ticket: str | None = Field(default=None, max_length=32, description="A place in the queue from an earlier answer.")
    mode: Literal["exclusive", "shared"] = "exclusive"
    ttl_seconds: float = Field(default=60.0, description="How long it lasts without a heartbeat.")
    purpose: str | None = Field(default=None, max_length=500, description="Shown to whoever waits for it.")
    holder: str | None = Field(default=None, max_length=128, description="Your task: lets deadlocks be found.")
    wait_seconds: float = Field(default=0.0, ge=0, le=3600, description="How long to queue for it; 0 is not at all.")
    key: str | None = Field(default=None, min_length=1, max_length=255)


class Health(Arguments):
    """How you are. People see it as your claim."""

    health: Literal["ok", "degraded", "failing"] = "ok"
    claim: dict[str, str] = Field(default_factory=dict, description="A few facts, like your version or load.")
    note: str | None = Field(default=None, max_length=500)
    acknowledge: list[str] = Field(
        default_factory=list, max_length=20, description="Messages that you have taken note of, like M3."
    )


class Claim(Arguments):
    """How long to wait for work."""

    seconds: float = Field(default=0.0, ge=0, le=LONGEST_WAIT_SECONDS - 5)


class Artifact(Arguments):
    """Something that you made."""

    name: str = Field(min_length=1, max_length=200)
    url: str | None = Field(default=None, max_length=2000)
    sha256: str | None = Field(default=None, description="64 hexadecimal digits.")


class Report(Arguments):
    """What to say of work that you claimed."""

    run: str = Field(max_length=32, description="The run, like R9.")
    claim: str = Field(max_length=64, description="What came with the work.")
    progress: str | None = Field(default=None, max_length=500, description="One line, shown as your claim.")
    output: str = Field(default="", description="Appended to what you printed so far; 64 KB at most.")
    artifacts: list[Artifact] = Field(default_factory=list, max_length=20)
    outcome: Literal["completed", "failed"] | None = Field(
        default=None, description="Only when it has ended; the run ends so."
    )


class Held(Arguments):
    """A lease of yours."""

    lock_id: str = Field(max_length=32, description="Like L7.")
    token: int = Field(description="The fencing token that you got with it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool. `reads` is for clients that ask their user before a tool changes something."""

    name: str
    description: str
    arguments: type[Arguments]
    call: Callable[[Talk, Any], Awaitable[Reply]]
    reads: bool = False


async def _actions(talk: Talk, given: Nothing) -> Reply:
    return await talk.act("help", {})


async def _request(talk: Talk, given: Request) -> Reply:
    asked = {"action": given.action, "params": given.params, "reason": given.reason}
    return await talk.act("request", asked, key=given.key)


async def _revise(talk: Talk, given: Revise) -> Reply:
    edited = await talk.act("edit", given.model_dump(exclude_none=True))
    if not edited.ok or edited.approval is None or edited.approval["state"] != "DRAFT":
        return edited
    return await talk.act("submit", {"ids": [given.id]})


async def _withdraw(talk: Talk, given: One) -> Reply:
    return await talk.act("withdraw", {"ids": [given.id]})


async def _wait(talk: Talk, given: Wait) -> Reply:
    async def look() -> tuple[bool, Reply]:
        reply = await talk.card(given.id)
        return reply.approval is None or reply.approval["state"] not in _GOES_ON, reply

    return await talk.watch(given.id, given.seconds, look)


async def _lease(talk: Talk, given: Lease) -> Reply:
    ticket = given.ticket
    if ticket is None:
        asked = given.model_dump(exclude={"ticket", "key"}, exclude_none=True)
        return await talk.act("lease-acquire", asked, key=given.key)

    async def look() -> tuple[bool, Reply]:
        reply = await talk.act("lease-poll", {"ticket": ticket})
        return not reply.ok or reply.data["ticket"]["state"] != "waiting", reply

    return await talk.watch(ticket, LONGEST_WAIT_SECONDS - 5, look)


async def _claim(talk: Talk, given: Claim) -> Reply:
    async def look() -> tuple[bool, Reply]:
        reply = await talk.act("work-claim", {})
        return not reply.ok or reply.data["work"] is not None, reply

    return await talk.watch("work", given.seconds, look)


async def _report(talk: Talk, given: Report) -> Reply:
    said = given.model_dump(exclude={"outcome"})
    if given.outcome is None:
        return await talk.act("work-report", said)
    return await talk.act("work-conclude", {**said, "outcome": given.outcome})


async def _check_in(talk: Talk, given: Health) -> Reply:
    for message in given.acknowledge:
        done = await talk.act("ack", {"message": message})
        if not done.ok:
            return done
    return await talk.act("heartbeat", {"health": given.health, "claim": given.claim, "reason": given.note})


def _plain(verb: str) -> Callable[[Talk, Arguments], Awaitable[Reply]]:
    async def call(talk: Talk, given: Arguments) -> Reply:
        return await talk.act(verb, given.model_dump())

    return call


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            name="actions",
            description="What may be asked for here, and with which parameters. Look here first.",
            arguments=Nothing,
            call=_actions,
            reads=True,
        ),
        Tool(
            name="request",
            description=(
                "Ask people to approve an action. Nothing has run when this answers: call `wait` until the state is "
                "COMPLETED, and treat every other end as not done."
            ),
            arguments=Request,
            call=_request,
        ),
        Tool(
            name="wait",
            description=(
                "Wait until a request has ended or was sent back to you. Answers within 50 seconds; while the state is "
                "SUBMITTED, REVIEWING, APPROVED, APPLYING or ROLLING_BACK, call it again."
            ),
            arguments=Wait,
            call=_wait,
            reads=True,
        ),
        Tool(
            name="show",
            description="One request as it stands: what would run, who decided, how it ended.",
            arguments=One,
            call=_plain("show"),
            reads=True,
        ),
        Tool(
            name="requests",
            description="Your open requests.",
            arguments=Nothing,
            call=_plain("queue"),
            reads=True,
        ),
        Tool(
            name="who",
            description="What a request still needs, who could give it, who cannot and why.",
            arguments=One,
            call=_plain("who"),
            reads=True,
        ),
        Tool(
            name="revise",
            description="Change a request of yours, for instance one that was sent back; people decide on it anew.",
            arguments=Revise,
            call=_revise,
        ),
        Tool(name="withdraw", description="Take a request of yours back.", arguments=One, call=_withdraw),
        Tool(
            name="history",
            description="What happened to a request, step by step, from the log.",
            arguments=One,
            call=_plain("history"),
            reads=True,
        ),
        Tool(
            name="lease",
            description=(
                "Hold resources so that nobody else works on them. Answers a lease with its fencing token, or, with "
                "wait_seconds, a ticket: call again with the ticket, which waits up to 45 seconds, until the lease is "
                "yours. Heartbeat every third of its ttl, or it lapses."
            ),
            arguments=Lease,
            call=_lease,
        ),
        Tool(
            name="heartbeat",
            description="Keep a lease. A refusal means that it is lost: stop working on what it was for.",
            arguments=Held,
            call=_plain("lease-heartbeat"),
        ),
        Tool(
            name="check_in",
            description=(
                "Say how you are, and get the messages that people left for you. Do so every minute or two while you "
                "work, do what they say as far as your task allows, and name them in `acknowledge` the next time."
            ),
            arguments=Health,
            call=_check_in,
        ),
        Tool(
            name="claim_work",
            description=(
                "Take the next approved run that you may carry out: its action, parameters, fencing token and claim. "
                "Then do exactly what the parameters say, and `report` at least every third of ttl_seconds."
            ),
            arguments=Claim,
            call=_claim,
        ),
        Tool(
            name="report",
            description=(
                "Say how claimed work goes, and with `outcome` how it ended. An answer with stop=true means: stop, and "
                "report outcome=failed. A refusal with work_lost means that it is no longer yours: stop at once."
            ),
            arguments=Report,
            call=_report,
        ),
        Tool(name="release", description="Give a lease back.", arguments=Held, call=_plain("lease-release")),
    )
}
