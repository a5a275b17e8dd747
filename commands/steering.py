"""Verbs about agents: agents, suspend, unsuspend, tell; and those of agents themselves: heartbeat, messages, ack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from commands.requesting import checked_reason
from commands.stopping import NoArgs
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.agents import health, inbox, standing, suspending
from core.errors import Forbidden
from core.leases.terms import LEASE_LOCKS
from core.people.directory import Kind, Principal
from core.store.tx import Tx

MOST_CLAIMS = 20


class AgentArgs(Args):
    """Which agent."""

    agent: str = Field(max_length=64)
    reason: str | None = Field(default=None, max_length=4096)


class SuspendArgs(Args):
    """Which agent, and why."""

    agent: str = Field(max_length=64)
    reason: str = Field(min_length=1, max_length=4096)


class TellArgs(Args):
    """Which agent, and what to tell it."""

    agent: str = Field(max_length=64)
    words: list[str] = Field(min_length=1, max_length=2000)
    reason: str | None = Field(default=None, max_length=4096)

    @field_validator("words", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class HeartbeatArgs(Args):
    """How the agent says it is."""

    health: Literal["ok", "degraded", "failing"] = "ok"
    claim: dict[str, str] = Field(default={}, max_length=MOST_CLAIMS)
    reason: str | None = Field(default=None, max_length=500)

    @field_validator("claim")
    @classmethod
    def _short(cls, value: dict[str, str]) -> dict[str, str]:
        if any(len(name) > 40 or len(text) > 500 for name, text in value.items()):
            raise ValueError("a name of at most 40 characters and a text of at most 500")
        return value


class AckArgs(Args):
    """Which message, and an answer."""

    message: str = Field(max_length=32)
    answer: list[str] = Field(default=[], max_length=1000)

    @field_validator("answer", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


def _agents(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    everybody = sorted((each for each in call.world.people if each.kind is Kind.AGENT), key=lambda each: each.id)
    items = health.agents_json(tx, everybody, call.world.limits)
    text = "\n".join(map(_line, items)) or "hub.yaml names no agents."
    return Outcome(text=text, data={"items": items})


def _line(agent: Mapping[str, Any]) -> str:
    role = f" ({agent['role']})" if agent["role"] else ""
    seen = f"heard of at {agent['seen_at'][:16]}Z" if agent["seen_at"] else "never heard of"
    says = f", says it is {agent['claim']['health']}" if agent["claim"] else ""
    spent = agent["budget"]
    budget = f"{spent['open']} of {spent['most_open']} open, {spent['asked']} of {spent['most_per_hour']} this hour"
    return f"{agent['id']}{role}  {agent['availability']}, {seen}{says}; {budget}; owner {', '.join(agent['owners'])}"


def _suspend(tx: Tx, call: Call, args: SuspendArgs, prepared: None) -> Outcome:
    agent = standing.agent_of(call.world, args.agent)
    standing.demand_may_steer(call.world, call.principal, agent)
    reason = checked_reason(args.reason) or ""
    ended = suspending.suspend(tx, agent, by=call.principal, channel=call.channel, reason=reason)
    text = f"{agent.id} is suspended: {ended['keys']} keys and {ended['requests']} requests ended"
    return Outcome(text=text, data={"agent": agent.id, **ended}, record=False)


def _unsuspend(tx: Tx, call: Call, args: AgentArgs, prepared: None) -> Outcome:
    agent = standing.agent_of(call.world, args.agent)
    standing.demand_may_steer(call.world, call.principal, agent)
    suspending.unsuspend(tx, call.world, agent, by=call.principal, channel=call.channel)
    text = f"{agent.id} may act again; its keys are gone, `interlock key create {agent.id}` makes a new one"
    return Outcome(text=text, data={"agent": agent.id}, record=False)


def pause(tx: Tx, call: Call, name: str, reason: str | None) -> Outcome:
    """The agent may ask for nothing new, and is told so."""
    agent = standing.agent_of(call.world, name)
    standing.demand_may_steer(call.world, call.principal, agent)
    reason = checked_reason(reason)
    standing.pause(tx, agent, by=call.principal, channel=call.channel, reason=reason)
    told = _told(tx, call, agent, "pause", f"You are paused: {reason or 'no reason was given'}")
    return Outcome(text=f"{agent.id} is paused; {told.name} asks it to acknowledge", record=False)


def unpause(tx: Tx, call: Call, name: str) -> Outcome:
    """The agent may ask again, and is told so."""
    agent = standing.agent_of(call.world, name)
    standing.demand_may_steer(call.world, call.principal, agent)
    standing.unpause(tx, agent, by=call.principal, channel=call.channel)
    told = _told(tx, call, agent, "resume", "You may go on.")
    return Outcome(text=f"{agent.id} may go on; {told.name} asks it to acknowledge", record=False)


def _pause(tx: Tx, call: Call, args: AgentArgs, prepared: None) -> Outcome:
    return pause(tx, call, args.agent, args.reason)


def _unpause(tx: Tx, call: Call, args: AgentArgs, prepared: None) -> Outcome:
    return unpause(tx, call, args.agent)


def _told(tx: Tx, call: Call, agent: Principal, purpose: inbox.Purpose, text: str) -> inbox.Message:
    return inbox.tell(tx, agent, by=call.principal, channel=call.channel, text=text, purpose=purpose)


def _tell(tx: Tx, call: Call, args: TellArgs, prepared: None) -> Outcome:
    agent = standing.agent_of(call.world, args.agent)
    words = " ".join(args.words) + (f" because {args.reason}" if args.reason else "")
    message = _told(tx, call, agent, "message", checked_reason(words[:4096]) or "")
    text = f"{message.name} waits for {agent.id}; its owner hears of it when it stays unanswered"
    return Outcome(text=text, data={"message": message.as_json()}, record=False)


def _myself(call: Call) -> Principal:
    if call.principal.kind is not Kind.AGENT:
        raise Forbidden("not_an_agent", "this is for agents, with their own key")
    return call.principal


def _heartbeat(tx: Tx, call: Call, args: HeartbeatArgs, prepared: None) -> Outcome:
    agent = _myself(call)
    claim = dict(args.claim) | ({"note": args.reason} if args.reason else {})
    for text in (*claim, *claim.values()):
        checked_reason(text)
    health.heartbeat(tx, agent, channel=call.channel, health=args.health, claim=claim)
    left = inbox.waiting(tx, agent.id)
    state = standing.standing(tx, agent.id).state
    text = f"heard; you are {state}" + (f"; messages wait: {', '.join(each.name for each in left)}" if left else "")
    return Outcome(text=text, data={"state": state, "messages": [each.as_json() for each in left]}, record=False)


def _messages(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    left = inbox.waiting(tx, _myself(call).id)
    lines = [f"{each.name}  {each.sender}: {each.text}" for each in left]
    data = {"items": [each.as_json() for each in left]}
    return Outcome(text="\n".join(lines) or "No messages.", data=data, record=False)


def _ack(tx: Tx, call: Call, args: AckArgs, prepared: None) -> Outcome:
    answer = checked_reason(" ".join(args.answer)[:4096])
    message = inbox.acknowledge(tx, _myself(call), args.message, channel=call.channel, answer=answer)
    return Outcome(text=f"{message.name}: acknowledged", data={"message": message.as_json()}, record=False)


VERBS = (
    Verb(
        name="agents",
        args=NoArgs,
        run=_agents,
        permission=Permission.READ,
        usage="agents",
        summary="Every agent: whose it is, whether it may act, when it was heard of.",
    ),
    Verb(
        name="suspend",
        args=SuspendArgs,
        run=_suspend,
        permission=Permission.CHECKED,
        people_only=True,
        positional=("agent",),
        because="reason",
        urgent=True,
        unlimited=True,
        locks=LEASE_LOCKS,
        usage="suspend <agent> because <reason>",
        summary="End an agent's keys, open requests and runs, until `unsuspend`.",
    ),
    Verb(
        name="unsuspend",
        args=AgentArgs,
        run=_unsuspend,
        permission=Permission.CHECKED,
        people_only=True,
        positional=("agent",),
        because="reason",
        usage="unsuspend <agent>",
        summary="Let a suspended agent act again, with new keys.",
    ),
    Verb(
        name="agent-pause",
        args=AgentArgs,
        run=_pause,
        permission=Permission.CHECKED,
        people_only=True,
        structured=True,
        urgent=True,
        usage="agent-pause",
        summary="Let an agent ask for nothing new.",
    ),
    Verb(
        name="agent-unpause",
        args=AgentArgs,
        run=_unpause,
        permission=Permission.CHECKED,
        people_only=True,
        structured=True,
        usage="agent-unpause",
        summary="Let a paused agent ask again.",
    ),
    Verb(
        name="tell",
        args=TellArgs,
        run=_tell,
        permission=Permission.REQUEST,
        people_only=True,
        positional=("agent",),
        rest="words",
        because="reason",
        usage="tell <agent> <text>",
        summary="Leave an agent a message that it has to acknowledge.",
    ),
    Verb(
        name="heartbeat",
        args=HeartbeatArgs,
        run=_heartbeat,
        permission=Permission.KNOWN,
        positional=("health",),
        keyed="claim",
        because="reason",
        urgent=True,
        usage="heartbeat [ok|degraded|failing] [<name>=<text> …] [because <note>]",
        summary="For agents: say how you are; the answer names the messages that wait.",
    ),
    Verb(
        name="messages",
        args=NoArgs,
        run=_messages,
        permission=Permission.KNOWN,
        usage="messages",
        summary="For agents: what you were told and have not acknowledged.",
    ),
    Verb(
        name="ack",
        args=AckArgs,
        run=_ack,
        permission=Permission.KNOWN,
        positional=("message",),
        rest="answer",
        usage="ack <message> [<answer>]",
        summary="For agents: acknowledge a message.",
    ),
)
