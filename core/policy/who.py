"""Who: what a request lacks, who could give it, also for others, who cannot and why, and who could end it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.people.directory import Directory
from core.policy.ballot import Ballot, Vote
from core.policy.counting import Tally, count_on, lack, why_not
from core.policy.policy import Policy
from core.policy.proxy import Proxy, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """Somebody who looks as if they could decide and cannot, and why; for whom, when it is about a delegation."""

    person: str
    why: str
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """What is missing, who could give it, who cannot and why."""

    tally: Tally
    could: tuple[str, ...] = ()
    """People whose approval would bring it closer, by id."""
    through: tuple[Proxy, ...] = ()
    """Delegations by which somebody's approval would."""
    cannot: tuple[Excluded, ...] = ()
    veto: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Veto groups, and the people in each who may reject alone."""
    words: str = ""


def who(
    policy: Policy,
    votes: Iterable[Vote],
    directory: Directory,
    barred: frozenset[str],
    proxies: Sequence[Proxy] = (),
) -> Who:
    """What is missing after `votes`, who could give it, who cannot and why."""
    return who_on(Ballot(policy, directory, barred), votes, proxies)


def who_on(ballot: Ballot, votes: Iterable[Vote], proxies: Sequence[Proxy] = ()) -> Who:
    """The same on a ballot that is at hand."""
    given, policy = list(votes), ballot.policy
    now = count_on(ballot, given)
    said = {vote.person: vote.verdict for vote in given if vote.on_behalf_of is None}
    spoken = _spoken(ballot, given)
    could: list[str] = []
    cannot: list[Excluded] = []
    for person in ballot.candidates():
        why = why_not(ballot, person) or _has_said(said.get(person))
        if why is None and not now.satisfied and _helps(ballot, now, given, spoken, person):
            could.append(person)
        elif why is not None or not now.satisfied:
            spoke = spoken.get(person)
            taken = f"{spoke} has spoken for them" if spoke else "could fill only seats that are taken"
            cannot.append(Excluded(person=person, why=why or taken))
    through = []
    for proxy in proxies if not now.satisfied else ():
        why = silent(ballot, proxy, given)
        if why is None and not _lends(ballot, now, given, proxy):
            why = "it would fill no seat that is free"
        if why is None:
            through.append(proxy)
        elif proxy.delegator in ballot.candidates():
            cannot.append(Excluded(person=proxy.delegate, why=why, on_behalf_of=proxy.delegator))
    veto = tuple((group, tuple(_people(ballot, group))) for group in policy.veto)
    return Who(
        tally=now,
        could=tuple(could),
        through=tuple(through),
        cannot=tuple(cannot),
        veto=veto,
        words=" ".join([*_sentences(policy, now, could, through, cannot, veto), *_nobody(ballot)]),
    )


def could_help(ballot: Ballot, votes: Sequence[Vote], most: int) -> list[str]:
    """The first `most` people whose own approval would bring it closer."""
    now = count_on(ballot, votes)
    if now.satisfied:
        return []
    said = {vote.person for vote in votes if vote.on_behalf_of is None}
    spoken = _spoken(ballot, votes)
    found: list[str] = []
    for person in ballot.candidates():
        if len(found) == most:
            break
        if person not in said and _helps(ballot, now, votes, spoken, person):
            found.append(person)
    return found


def _spoken(ballot: Ballot, votes: Sequence[Vote]) -> dict[str, str]:
    """Whom somebody has spoken for, and who did."""
    return {vote.on_behalf_of: vote.person for vote in ballot.counting(votes) if vote.on_behalf_of is not None}


def _has_said(verdict: str | None) -> str | None:
    return None if verdict is None else "has approved" if verdict == "approve" else "has rejected it"


def _helps(ballot: Ballot, now: Tally, votes: Sequence[Vote], spoken: Mapping[str, str], person: str) -> bool:
    """Whether the approval of `person`, who has not decided, fills a seat or adds a distinct person who is wanted."""
    # Who spoke for somebody might sit elsewhere with their own voice; whom somebody spoke for would only replace it.
    if person in now.acted or person in spoken:
        return _adds(ballot, now, votes, Vote(person=person))
    return bool(now.people_missing and ballot.eligible(person)) or not now.open_kinds.isdisjoint(ballot.kinds(person))


def _lends(ballot: Ballot, now: Tally, votes: Sequence[Vote], proxy: Proxy) -> bool:
    lent = Vote(person=proxy.delegate, on_behalf_of=proxy.delegator, when=proxy.when, strength=proxy.strength)
    return _adds(ballot, now, votes, lent)


def _adds(ballot: Ballot, now: Tally, votes: Sequence[Vote], vote: Vote) -> bool:
    then = count_on(ballot, [*votes, vote])
    return _filled(then) > _filled(now) or then.people_missing < now.people_missing


def _filled(count: Tally) -> int:
    return sum(each.have for each in count.seats)


def _people(ballot: Ballot, group: str) -> list[str]:
    return [each for each in sorted(ballot.directory.members(group)) if ballot.is_person(each)]


def _sentences(
    policy: Policy,
    now: Tally,
    could: Sequence[str],
    through: Sequence[Proxy],
    cannot: Sequence[Excluded],
    veto: Sequence[tuple[str, Sequence[str]]],
) -> Iterator[str]:
    if now.satisfied:
        yield "Nothing is missing."
    else:
        wanted = _wanted(policy, now)
        if now.people_missing:
            wanted.append(f"{now.people_missing} more {'person' if now.people_missing == 1 else 'people'}")
        yield f"Missing: {', '.join(wanted) or 'a rule that says who decides'}."
        givers = [*could, *(f"{each.delegate} for {each.delegator}" for each in through)]
        yield f"Could give it: {', '.join(givers)}." if givers else "Nobody can give it."
        if cannot:
            yield "Cannot: " + "; ".join(_excluded(each) for each in cannot) + "."
    if now.against:
        yield f"Rejected by {', '.join(now.against)}: {len(now.against)} of the {policy.reject} that end it."
    for group, people in veto:
        yield f"May reject alone, of {group}: {', '.join(people) or 'nobody'}."


def _nobody(ballot: Ballot) -> Iterator[str]:
    """Groups of the policy that count as empty because whoever tells their members could not be asked."""
    named = dict.fromkeys([*(each.group for each in ballot.policy.require), *ballot.policy.veto])
    for group in named:
        if group is not None and group in ballot.directory.empty:
            yield f"Nobody counts as {group}: {ballot.directory.empty[group]}."


def _wanted(policy: Policy, now: Tally) -> list[str]:
    """The seats that are empty; for a single kind also the others from which somebody could move over to it."""
    if len(now.missing) != 1 or len(now.open_kinds) == 1:
        return [lack(each) for each in now.missing]
    open_kinds = [policy.require[kind] for kind in sorted(now.open_kinds)]
    names = dict.fromkeys(each.group or str(each.person) for each in open_kinds)
    return [f"{now.missing[0].lacking} of {' or '.join(names)}"]


def _excluded(each: Excluded) -> str:
    return f"{each.person}{f' for {each.on_behalf_of}' if each.on_behalf_of else ''} ({each.why})"
