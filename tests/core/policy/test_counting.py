from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.people.directory import Directory, Kind, Principal
from core.policy.ballot import Vote
from core.policy.counting import barred_by, could_satisfy, eligible, tally
from core.policy.policy import Policy, Requirement
from core.policy.who import who

GROUPS = ("sre", "security", "empty")
NOBODY: frozenset[str] = frozenset()


def person(name: str, *groups: str) -> Principal:
    return Principal(id=name, kind=Kind.PERSON, name=name, groups=frozenset(groups))


def agent(name: str, owner: str, *groups: str) -> Principal:
    return Principal(id=name, kind=Kind.AGENT, name=name, groups=frozenset(groups), owners=frozenset({owner}))


def directory(*principals: Principal) -> Directory:
    return Directory({each.id: each for each in principals})


PEOPLE = directory(
    person("ana", "sre"),
    person("bo", "sre", "security"),
    person("cai", "sre"),
    person("dee", "security"),
    person("eve"),
    agent("bot", "ana", "sre", "security"),
)
PROD = Policy(
    name="prod", require=(Requirement(group="sre", count=2), Requirement(group="security")), distinct_people=3
)


def votes(*names: str) -> list[Vote]:
    return [Vote(person=name) for name in names]


def satisfied(policy: Policy, approvals: list[Vote], barred: frozenset[str] = NOBODY) -> bool:
    return tally(policy, approvals, PEOPLE, barred).satisfied


def test_enough_of_each_group_satisfy() -> None:
    assert satisfied(PROD, votes("ana", "cai", "dee"))
    assert not satisfied(PROD, votes("ana", "cai"))
    assert not satisfied(PROD, votes("ana", "dee"))


def test_a_person_in_both_groups_fills_one_seat_where_they_help_most() -> None:
    assert not satisfied(PROD, votes("bo", "ana"))
    for order in (("bo", "ana", "cai"), ("ana", "cai", "bo"), ("bo", "ana", "dee")):
        assert satisfied(PROD, votes(*order))


def test_the_same_person_twice_counts_once() -> None:
    two = Policy(name="two", require=(Requirement(group="sre", count=2),))

    assert not satisfied(two, votes("ana", "ana"))
    assert tally(two, votes("ana", "ana"), PEOPLE, NOBODY).people == 1


def test_neither_agents_nor_outsiders_nor_the_removed_count() -> None:
    one = Policy(name="one", require=(Requirement(group="sre"),))

    for name in ("bot", "eve", "gone", "dee"):
        assert not satisfied(one, votes(name))
        assert not eligible(one, name, PEOPLE, NOBODY)


def test_the_requester_and_the_owners_of_the_requester_do_not_count() -> None:
    one = Policy(name="one", require=(Requirement(group="sre"),))

    assert barred_by("bot", {"cai"}, PEOPLE) == {"bot", "ana", "cai"}
    assert not satisfied(one, votes("ana"), barred_by("bot", (), PEOPLE))
    assert satisfied(one, votes("bo"), barred_by("bot", (), PEOPLE))


def test_a_named_person_is_needed_in_person() -> None:
    named = Policy(name="named", require=(Requirement(person="dee"), Requirement(group="security")))

    assert not satisfied(named, votes("bo"))
    assert not satisfied(named, votes("dee"))
    assert satisfied(named, votes("dee", "bo"))
    assert satisfied(named, votes("bo", "dee"))


def test_more_distinct_people_than_seats_may_be_wanted() -> None:
    three = Policy(name="three", require=(Requirement(group="sre"),), distinct_people=3)

    count = tally(three, votes("ana", "bo"), PEOPLE, NOBODY)

    assert not count.satisfied
    assert (count.people, count.people_missing, count.missing) == (2, 1, ())
    assert satisfied(three, votes("ana", "bo", "cai"))
    assert not satisfied(three, votes("ana", "bo", "dee"))


def test_an_empty_group_and_an_empty_policy_are_never_satisfied() -> None:
    empty = Policy(name="empty", require=(Requirement(group="empty"),))
    nothing = Policy(name="nothing")

    assert not satisfied(empty, votes("ana", "bo", "cai", "dee"))
    assert not satisfied(nothing, votes("ana", "bo", "cai", "dee"))
    assert "no members" in could_satisfy(empty, PEOPLE, NOBODY).reason
    assert not could_satisfy(nothing, PEOPLE, NOBODY).possible


def test_a_policy_that_allows_needs_nobody() -> None:
    allow = Policy(name="allow", allow=True)

    assert satisfied(allow, [])
    assert could_satisfy(allow, directory(), NOBODY).possible
    assert who(allow, [], PEOPLE, NOBODY).words == "Nothing is missing."


def test_the_count_names_who_sits_where() -> None:
    count = tally(PROD, votes("bo", "ana"), PEOPLE, NOBODY)

    assert sum(each.have for each in count.seats) == 2
    assert {name for each in count.seats for name in each.by} == {"ana", "bo"}
    assert sum(each.lacking for each in count.missing) == 1


class TestDelegates:
    ONE = Policy(name="one", require=(Requirement(group="security"),))

    def test_a_delegate_fills_the_seat_of_who_sent_them(self) -> None:
        assert satisfied(self.ONE, [Vote(person="eve", on_behalf_of="dee")])

    def test_a_delegate_is_silent_once_the_delegator_has_decided(self) -> None:
        both = Policy(name="both", require=(Requirement(group="security", count=2),))

        assert not satisfied(both, [Vote(person="eve", on_behalf_of="dee"), *votes("dee")])
        assert not satisfied(both, [*votes("dee"), Vote(person="eve", on_behalf_of="dee")])

    def test_one_delegator_has_one_voice(self) -> None:
        both = Policy(name="both", require=(Requirement(group="security", count=2),))
        doubled = [Vote(person="eve", on_behalf_of="dee"), Vote(person="cai", on_behalf_of="dee")]

        assert not satisfied(both, doubled)

    def test_one_delegate_of_two_people_fills_one_seat_and_is_one_person(self) -> None:
        both = Policy(name="both", require=(Requirement(group="security", count=2),))
        doubled = [Vote(person="eve", on_behalf_of="dee"), Vote(person="eve", on_behalf_of="bo")]

        assert not satisfied(both, doubled)
        assert tally(both, doubled, PEOPLE, NOBODY).people == 1

    def test_nobody_speaks_for_the_requester_nor_the_requester_for_anybody(self) -> None:
        for barred in ("eve", "dee"):
            assert not satisfied(self.ONE, [Vote(person="eve", on_behalf_of="dee")], frozenset({barred}))

    def test_neither_an_agent_nor_somebody_for_an_agent_speaks(self) -> None:
        assert not satisfied(self.ONE, [Vote(person="bot", on_behalf_of="dee")])
        assert not satisfied(self.ONE, [Vote(person="eve", on_behalf_of="bot")])

    def test_the_policy_says_who_may_be_a_delegate(self) -> None:
        members = Policy(name="m", require=self.ONE.require, delegation="members")
        none = Policy(name="n", require=self.ONE.require, delegation="none")

        assert not satisfied(members, [Vote(person="eve", on_behalf_of="dee")])
        assert satisfied(members, [Vote(person="bo", on_behalf_of="dee")])
        assert not satisfied(none, [Vote(person="bo", on_behalf_of="dee")])


class TestCouldSatisfy:
    def test_a_policy_that_only_the_requester_could_complete_cannot_be_satisfied(self) -> None:
        both = Policy(name="both", require=(Requirement(group="security", count=2),))

        assert could_satisfy(both, PEOPLE, frozenset({"ana"})).possible
        verdict = could_satisfy(both, PEOPLE, frozenset({"dee"}))
        assert not verdict.possible
        assert "1 of security would still be missing" in verdict.reason
        assert "dee asked for it" in verdict.reason

    def test_agents_in_a_group_do_not_make_it_satisfiable(self) -> None:
        verdict = could_satisfy(PROD, directory(person("ana", "sre"), agent("bot", "ana", "sre", "security")), NOBODY)

        assert not verdict.possible
        assert "bot is an agent; only people decide" in verdict.reason


class TestWho:
    def test_it_says_what_is_missing_who_could_give_it_and_who_cannot(self) -> None:
        answer = who(PROD, votes("cai"), PEOPLE, frozenset({"ana"}))

        assert answer.could == ("bo", "dee")
        assert {each.person: each.why for each in answer.cannot} == {
            "ana": "asked for it, or owns who asked",
            "bot": "is an agent; only people decide",
            "cai": "has approved",
        }
        assert "1 of sre" in answer.words
        assert "1 of security" in answer.words
        assert "Could give it: bo, dee." in answer.words

    def test_somebody_who_could_only_fill_a_taken_seat_is_not_asked(self) -> None:
        answer = who(PROD, votes("ana", "cai"), PEOPLE, NOBODY)

        assert answer.could == ("bo", "dee")
        full = who(PROD, votes("dee", "ana"), PEOPLE, NOBODY)
        assert full.could == ("bo", "cai")

    def test_it_says_when_nobody_can(self) -> None:
        answer = who(Policy(name="e", require=(Requirement(group="empty"),)), [], PEOPLE, NOBODY)

        assert "Nobody can give it." in answer.words

    def test_a_missing_distinct_person_is_asked_for(self) -> None:
        two = Policy(name="two", require=(Requirement(group="sre"),), distinct_people=2)

        answer = who(two, votes("ana"), PEOPLE, NOBODY)

        assert "1 more person" in answer.words
        assert answer.could == ("bo", "cai")


NAMES = "abcdef"
requirements = st.one_of(
    st.builds(
        lambda group, count: Requirement(group=group, count=count), st.sampled_from(GROUPS[:2]), st.integers(1, 3)
    ),
    st.builds(lambda name: Requirement(person=name), st.sampled_from(NAMES)),
)
rules = st.builds(
    lambda require, distinct, delegation: Policy(
        name="p", require=tuple(require), distinct_people=distinct, delegation=delegation
    ),
    st.lists(requirements, max_size=3),
    st.one_of(st.none(), st.integers(1, 5)),
    st.sampled_from(["any", "members", "none"]),
)
crowds = st.fixed_dictionaries(
    {name: st.tuples(st.sampled_from([*Kind][:3]), st.sets(st.sampled_from(GROUPS[:2]))) for name in NAMES}
).map(
    lambda crowd: directory(
        *(Principal(id=n, kind=kind, name=n, groups=frozenset(groups)) for n, (kind, groups) in crowd.items())
    )
)
ballots = st.lists(
    st.builds(Vote, person=st.sampled_from(NAMES + "z"), on_behalf_of=st.one_of(st.none(), st.sampled_from(NAMES))),
    max_size=6,
)
bars = st.frozensets(st.sampled_from(NAMES), max_size=3)


def fits(requirement: Requirement, name: str, people: Directory) -> bool:
    return requirement.person == name or (requirement.group is not None and name in people.members(requirement.group))


def by_trying_everything(policy: Policy, approvals: list[Vote], people: Directory, barred: frozenset[str]) -> bool:
    """The rules of counting, word by word, with every seating tried."""

    def real(name: str) -> bool:
        found = people.find(name)
        return found is not None and found.kind is Kind.PERSON and name not in barred

    def entitled(name: str) -> bool:
        return real(name) and any(fits(each, name, people) for each in policy.require)

    own = [vote.person for vote in approvals if vote.on_behalf_of is None]
    voices: dict[str, str] = {}
    for name in own:
        if entitled(name):
            voices[name] = name
    for vote in approvals:
        sent = vote.on_behalf_of
        if sent is None or sent in own or sent in voices or not entitled(sent) or not real(vote.person):
            continue
        if policy.delegation == "any" or (policy.delegation == "members" and entitled(vote.person)):
            voices[sent] = vote.person
    actors = set(voices.values())
    seats = [each for each in policy.require for _ in range(each.count)]
    if not seats or len(actors) < (policy.distinct_people or 0):
        return False
    if len(seats) > len(actors):
        return False
    options = [[actor for voice, actor in voices.items() if fits(each, voice, people)] for each in seats]
    return any(len(set(sitting)) == len(sitting) for sitting in product(*options))


@given(rules, ballots, crowds, bars)
def test_the_count_agrees_with_trying_every_seating(
    policy: Policy, approvals: list[Vote], people: Directory, barred: frozenset[str]
) -> None:
    count = tally(policy, approvals, people, barred)

    assert count.satisfied == by_trying_everything(policy, approvals, people, barred)
    assert count.satisfied == who(policy, approvals, people, barred).tally.satisfied


@given(rules, ballots, crowds, bars)
def test_what_somebody_satisfied_could_be_satisfied(
    policy: Policy, approvals: list[Vote], people: Directory, barred: frozenset[str]
) -> None:
    if tally(policy, approvals, people, barred).satisfied:
        assert could_satisfy(policy, people, barred).possible


@given(rules, crowds, bars)
def test_asking_those_who_could_give_it_always_ends_in_approval_when_it_is_possible(
    policy: Policy, people: Directory, barred: frozenset[str]
) -> None:
    given: list[Vote] = []
    while could := who(policy, given, people, barred).could:
        given.append(Vote(person=could[0]))

    assert tally(policy, given, people, barred).satisfied == could_satisfy(policy, people, barred).possible


@given(rules, ballots, crowds, bars)
def test_barring_one_more_person_never_helps(
    policy: Policy, approvals: list[Vote], people: Directory, barred: frozenset[str]
) -> None:
    if not could_satisfy(policy, people, barred).possible:
        for name in NAMES:
            assert not could_satisfy(policy, people, barred | {name}).possible


@pytest.mark.parametrize("count", [50])
def test_many_seats_and_people_are_counted_quickly(count: int) -> None:
    people = directory(*(person(f"p{n}", "sre", "security") for n in range(count * 2)))
    policy = Policy(
        name="many", require=(Requirement(group="sre", count=count), Requirement(group="security", count=count))
    )

    assert could_satisfy(policy, people, NOBODY).possible
    assert not could_satisfy(policy, people, frozenset({"p0"})).possible
