"""Cases that say what a configuration's policies shall do, and whether they do it.

    cases:
      - name: prod needs two of sre and one of security
        by: ana
        action: deploy
        params: {service: web, version: v1.2.3, env: prod}
        expect: {policy: prod, seats: [2 of sre, 1 of security], satisfied_by: [[bo, cai, dee]], not_by: [[bo, dee]]}
      - name: agents never deploy to staging unasked
        by: deploy-bot
        action: deploy
        params: {service: web, version: v1.2.3, env: staging}
        expect: {policy: default, allow: false}

`channel`, `assurance` and `at` (an ISO 8601 time) may be given; `expect: {refused: unsatisfiable}` names a refusal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from config.problem import ConfigInvalid
from config.scalars import Moment, Section
from config.source import Source, read
from config.translate import problems
from core.approvals.proposal import propose
from core.clock import to_us
from core.errors import Refusal
from core.people.assurance import Assurance
from core.policy.ballot import Ballot, Vote
from core.policy.counting import barred_by, tally
from core.world import World


class Expect(Section):
    """What shall come of it; only what is given is looked at."""

    policy: str | None = None
    allow: bool | None = None
    seats: list[str] | None = None
    satisfied_by: list[list[str]] = Field(default=[])
    not_by: list[list[str]] = Field(default=[])
    refused: str | None = None


class Case(Section):
    """One request as somebody might make it."""

    name: str
    by: str
    action: str
    params: dict[str, Any] = Field(default={})
    channel: str = "http"
    assurance: Literal["email", "chat", "signed_in", "passkey"] = "chat"
    at: Moment | None = None
    expect: Expect


class Cases(Section):
    """The file."""

    cases: list[Case] = Field(min_length=1, max_length=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One case, where it stands, and what was otherwise than expected; nothing when it is as it should be."""

    name: str
    file: str
    line: int
    wrong: tuple[str, ...]


def load_cases(path: Path) -> tuple[Cases, Source]:
    """The cases of a file. Raises ConfigInvalid with every problem, by file and line."""
    source = read(path)
    if source.problems:
        raise ConfigInvalid(source.problems)
    try:
        return Cases.model_validate(source.data), source
    except ValidationError as error:
        raise ConfigInvalid(list(problems(source, error))) from None


def run(cases: Cases, source: Source, world: World) -> Iterator[Outcome]:
    """Each case under `world`."""
    for at, case in enumerate(cases.cases):
        file, line = source.place(("cases", at))
        yield Outcome(name=case.name, file=str(file), line=line, wrong=tuple(_wrong(case, world)))


def _wrong(case: Case, world: World) -> Iterator[str]:
    expect = case.expect
    requester = world.people.find(case.by)
    if requester is None:
        yield f"there is nobody called {case.by} in the configuration"
        return
    moment = datetime.fromisoformat(case.at) if case.at else datetime(2026, 1, 7, 12, tzinfo=UTC)
    try:
        proposal = propose(
            world,
            action=case.action,
            params=case.params,
            requester=requester,
            channel=case.channel,
            assurance=Assurance.parse(case.assurance),
            now_us=to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC)),
            seal=lambda context, value: b"",
        )
    except Refusal as refusal:
        if expect.refused != refusal.code:
            yield f"it is refused as {refusal.code}: {refusal.message}"
        return
    policy = proposal.policy
    if expect.refused is not None:
        yield f"it is not refused, and policy {policy.name} is in force"
    if expect.policy is not None and expect.policy != policy.name:
        yield f"policy {policy.name} is in force, not {expect.policy}"
    if expect.allow is not None and expect.allow != policy.allow:
        yield "it is allowed at once" if policy.allow else "it is not allowed at once"
    seats = [each.label for each in policy.require]
    if expect.seats is not None and sorted(expect.seats) != sorted(seats):
        yield f"it needs {', '.join(seats) or 'nobody'}, not {', '.join(expect.seats) or 'nobody'}"
    ballot = Ballot(policy, world.people, barred_by(requester.id, requester.owners, world.people))
    for wanted, groups in ((True, expect.satisfied_by), (False, expect.not_by)):
        for people in groups:
            count = tally(ballot.policy, [Vote(person=each) for each in people], ballot.directory, ballot.barred)
            if count.satisfied != wanted:
                yield f"{', '.join(people)} {'would not be' if wanted else 'would be'} enough"
