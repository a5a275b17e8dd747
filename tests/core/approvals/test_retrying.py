"""What is asked for again: once, also when two nodes are asked at the same time."""

from __future__ import annotations

from court import Court, person, sre
from nodes import nodes, overlapping

from core.approvals import request as asking
from core.approvals.approval import find
from core.approvals.proposal import propose
from core.errors import Conflict
from core.people.assurance import Assurance
from core.store.tx import Tx

PEOPLE = (person("ana", "sre"), person("bo", "sre"))


def test_of_two_nodes_one_retries(postgres_dsn: str) -> None:
    with nodes(postgres_dsn) as (first, second):
        court = Court(None, PEOPLE, sre(), first)
        number = court.review("ana")
        court.decide(number, "bo", "reject")
        proposal = propose(
            court.world,
            action="work",
            params={},
            requester=court.who("ana"),
            channel="test",
            assurance=Assurance.CHAT,
            now_us=first.now_us(),
            seal=lambda context, value: b"",
        )

        def retry(tx: Tx) -> int:
            return asking.request(
                tx,
                proposal,
                requester=court.who("ana"),
                channel="test",
                address=None,
                assurance=Assurance.CHAT,
                reason=None,
                draft=False,
                limits=court.world.limits,
                retry_of=find(tx, number),
            )

        made, refused = overlapping(postgres_dsn, first, retry, second, retry, locks=())
        assert isinstance(refused, Conflict) and refused.code == "changed"
        assert court.write(find, number).retried_as == made
        assert len(court.events("approval:requested")) == 2
