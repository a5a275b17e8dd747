"""Verbs of agents that carry out approved runs: take work, be heard of, say how it ended. And `work`, for everybody."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from commands.requesting import checked_reason
from commands.stopping import NoArgs
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.errors import Forbidden
from core.leases.terms import LEASE_LOCKS
from core.people.directory import Kind, Principal
from core.store.rows import Reader
from core.store.tx import Tx
from core.text import refuse_invisible
from core.work.claiming import claim, claimed_json
from core.work.reporting import Report, conclude, report
from core.work.work import Work, open_work


class Artifact(BaseModel):
    """Something that the agent made: where it is, and what it should be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    url: str | None = Field(default=None, max_length=2000, pattern=r"^https?://")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class ReportArgs(Args):
    """Which run, under which claim, and what to say of it."""

    model_config = ConfigDict(str_max_length=1_000_000)

    run: str = Field(max_length=32)
    claim: str = Field(max_length=64)
    progress: str | None = Field(default=None, max_length=500)
    output: str = ""
    artifacts: list[Artifact] = Field(default=[], max_length=20)

    @property
    def said(self) -> Report:
        """What the agent says. Raises Invalid `invalid_characters` for text that hides or reorders."""
        checked_reason(self.progress)
        for each in self.artifacts:
            refuse_invisible(each.name)
        return Report(
            progress=self.progress,
            output=self.output,
            artifacts=tuple(each.model_dump(exclude_none=True) for each in self.artifacts),
        )


class ConcludeArgs(ReportArgs):
    """How it ended."""

    outcome: Literal["completed", "failed"]


def _agent(call: Call) -> Principal:
    if call.principal.kind is not Kind.AGENT:
        raise Forbidden("not_an_agent", "this is for agents, with their own key")
    return call.principal


def _claim(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    work = claim(tx, _agent(call), channel=call.channel)
    if work is None:
        return Outcome(text="Nothing waits for you.", data={"work": None}, record=False)
    text = f"{work.name}: you carry out {work.action} of {work.about}; say how it goes at least every {_ttl(work)} s"
    return Outcome(text=text, data={"work": claimed_json(tx, work)}, record=False)


def _ttl(work: Work) -> int:
    return work.ttl_us // 3_000_000 or 1


def _report(tx: Tx, call: Call, args: ReportArgs, prepared: None) -> Outcome:
    work, stop = report(tx, _agent(call), args.run, args.claim, args.said, channel=call.channel)
    text = f"{work.name}: heard" + ("; somebody wants it stopped: stop, and say that it failed" if stop else "")
    return Outcome(text=text, data={"work": work.as_json(), "stop": stop}, record=False)


def _conclude(tx: Tx, call: Call, args: ConcludeArgs, prepared: None) -> Outcome:
    work = conclude(tx, _agent(call), args.run, args.claim, outcome=args.outcome, said=args.said, channel=call.channel)
    return Outcome(text=f"{work.name}: {args.outcome}", data={"run": work.name, "outcome": args.outcome}, record=False)


def _work(reader: Reader, call: Call, args: NoArgs) -> Outcome:
    found = open_work(reader)
    lines = [f"{each.name}  {each.action} of {each.about}  {_who(each)}" for each in found]
    items: list[dict[str, Any]] = [each.as_json() for each in found]
    return Outcome(text="\n".join(lines) or "No work waits for agents.", data={"items": items})


def _who(work: Work) -> str:
    if work.agent is None:
        return f"waits for an agent with {', '.join(work.labels) or 'any labels'}"
    return f"{work.agent} has it" + (f", and says: {work.progress}" if work.progress else "")


def _structured(name: str, args: type[Args], run: Any, summary: str) -> Verb:
    return Verb(
        name=name,
        args=args,
        run=run,
        permission=Permission.REQUEST,
        usage=name,
        summary=summary,
        structured=True,
        urgent=True,
        locks=LEASE_LOCKS,
    )


VERBS = (
    Verb(
        name="work",
        args=NoArgs,
        look=_work,
        permission=Permission.READ,
        usage="work",
        summary="Approved runs that agents carry out, or that wait for one.",
    ),
    _structured("work-claim", NoArgs, _claim, "Take the next piece of work that is for you."),
    _structured("work-report", ReportArgs, _report, "Say that the work goes on, and how."),
    _structured("work-conclude", ConcludeArgs, _conclude, "Say how the work ended."),
)
