"""`/v1/audit`: what outsiders verify with our own verifier and nothing else."""

import pytest
from house import House

from core.audit.keys import VerifierKey
from core.audit.note import open_checkpoint
from core.audit.proof import Proof, verify_proof

pytestmark = pytest.mark.anyio


async def key(house: House) -> VerifierKey:
    answer = await house.ask("bo", "GET", "/v1/audit/key")
    assert answer.headers["content-type"].startswith("text/plain")
    return VerifierKey.parse(answer.text)


async def test_a_checkpoint_opens_with_the_published_key(house: House) -> None:
    answer = await house.ask("bo", "GET", "/v1/audit/checkpoint")
    checkpoint = open_checkpoint(answer.text, [await key(house)])
    assert 0 < checkpoint.size <= house.hub.db.log.size
    assert checkpoint.origin == house.hub.db.log.origin


async def test_a_checkpoint_on_demand_covers_everything_so_far_and_needs_the_right(house: House) -> None:
    assert (await house.ask("bo", "POST", "/v1/audit/checkpoint")).status_code == 403
    await house.key("ana")
    size = house.hub.db.log.size
    answer = await house.ask("ana", "POST", "/v1/audit/checkpoint")
    assert answer.status_code == 201
    assert open_checkpoint(answer.text, [await key(house)]).size == size


async def test_every_entry_can_be_proved_also_the_newest(house: House) -> None:
    await house.review()
    keys = [await key(house)]
    for seq in range(1, house.hub.db.log.size + 1):
        proof = Proof.from_json((await house.ask("bo", "GET", f"/v1/audit/proof/{seq}")).json())
        assert proof.seq == seq
        verify_proof(proof, keys=keys)


async def test_a_checkpoint_asked_for_again_under_its_key_is_the_same_one(house: House) -> None:
    first = await house.ask("ana", "POST", "/v1/audit/checkpoint", idempotency_key="c1")
    again = await house.ask("ana", "POST", "/v1/audit/checkpoint", idempotency_key="c1")
    other = await house.ask("ana", "POST", "/v1/audit/checkpoint", idempotency_key="c2")
    assert (again.status_code, again.text) == (201, first.text)
    assert other.text != first.text
    answers = [await house.ask("ana", "POST", "/v1/reload", idempotency_key="r1") for _ in range(2)]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(("seq", "status"), [("999999", 404), ("0", 400), ("x", 400), ("-1", 400)])
async def test_there_is_no_proof_of_what_is_not_there(house: House, seq: str, status: int) -> None:
    assert (await house.ask("bo", "GET", f"/v1/audit/proof/{seq}")).status_code == status
