"""What screens ask for: the language, a stretch of the log in words, an entry's bytes, leases as a picture.

And that what is answered has the shapes that OpenAPI and the page's types are made from.
"""

from __future__ import annotations

from typing import Any

import pytest
from house import House
from pydantic import ConfigDict, TypeAdapter, with_config

from core.audit.merkle import leaf_hash
from hub import shapes

pytestmark = pytest.mark.anyio


def demand_shape(shape: Any, value: Any) -> None:
    """`value` has every member of the shape and each of its type; it may have grown others."""
    TypeAdapter(with_config(ConfigDict(strict=True))(shape)).validate_python(value)


async def test_who_asks_is_shown_the_verbs_and_actions_that_they_may_use(house: House) -> None:
    verbs = (await house.ask("bo", "GET", "/v1/verbs")).json()["items"]
    demand_shape(shapes.Verb, verbs[0])
    names = {each["name"] for each in verbs}
    assert {"approve", "queue", "help"} <= names and "lease-acquire" not in names
    assert "approve" not in {each["name"] for each in (await house.ask("bot", "GET", "/v1/verbs")).json()["items"]}
    actions = (await house.ask("bo", "GET", "/v1/actions")).json()["items"]
    for each in actions:
        demand_shape(shapes.Action, each)
    assert {each["name"] for each in actions} == {"greet", "quiet"}
    assert {each["name"] for each in (await house.ask("cai", "GET", "/v1/actions")).json()["items"]} == {"greet"}


async def test_a_stretch_of_the_log_is_told_as_its_reader_may_see_it(house: House) -> None:
    seen = await house.review()
    hidden = await house.review("dee", "quiet")
    size = house.hub.db.log.size
    path = f"/v1/events/summary?after=0&until={size}"
    told = (await house.ask("bo", "GET", path)).json()
    assert told["count"] == size
    assert f"{seen['id']}: Greet bob" in told["text"] and "“a reason”" in told["text"]
    assert "Do a quiet thing" in told["text"]
    told = (await house.ask("cai", "GET", path)).json()
    assert "Do a quiet thing" not in told["text"]
    one = (await house.ask("bo", "GET", f"{path}&subject={hidden['id']}&event=approval:requested")).json()
    assert one["count"] == 1
    assert (await house.ask("bo", "GET", "/v1/events/summary?after=0&until=1001")).status_code == 400


async def test_the_bytes_of_an_entry_are_those_that_its_proof_is_about(house: House) -> None:
    await house.review()
    for seq in range(1, house.hub.db.log.size + 1):
        entry = (await house.ask("bo", "GET", f"/v1/audit/entry/{seq}")).content
        proof = (await house.ask("bo", "GET", f"/v1/audit/proof/{seq}")).json()
        demand_shape(shapes.Proof, proof)
        assert leaf_hash(entry).hex() == proof["leaf_hash"]
    assert (await house.ask("bo", "GET", "/v1/audit/entry/9999")).status_code == 404


async def test_an_entry_about_what_one_may_not_see_is_not_there(house: House) -> None:
    hidden = await house.review("dee", "quiet")
    requested = next(
        each["seq"]
        for each in await house.events()
        if each["subject"] == hidden["id"] and each["event"] == "approval:requested"
    )
    assert (await house.ask("bo", "GET", f"/v1/audit/entry/{requested}")).status_code == 200
    assert (await house.ask("cai", "GET", f"/v1/audit/entry/{requested}")).status_code == 404


async def test_leases_are_pictured_with_who_waits_behind_whom(house: House) -> None:
    prod = {"resources": ["env:prod"], "ttl_seconds": 60}
    held = (await house.ask("bot", "POST", "/v1/leases/acquire", {**prod, "purpose": "deploy"})).json()
    first, second = [
        (await house.ask(who, "POST", "/v1/leases/acquire", {**prod, "wait_seconds": 60})).json()["ticket"]
        for who in ("ci", "bo")
    ]
    picture = (await house.ask("cai", "GET", "/v1/leases/picture")).json()
    demand_shape(shapes.LeasePicture, picture)
    assert [(each["lock_id"], each["principal"], each["purpose"]) for each in picture["held"]] == [
        (held["lock_id"], "bot", "deploy")
    ]
    assert [(each["ticket"], each["position"], each["behind"]) for each in picture["waiting"]] == [
        (first, 1, [held["lock_id"]]),
        (second, 2, [held["lock_id"], first]),
    ]
    assert picture["waiting"][0]["estimate_seconds"] is None


async def test_what_is_answered_has_the_shapes_that_types_are_made_from(house: House) -> None:
    waiting = await house.review()
    demand_shape(shapes.Approval, waiting)
    decide = {"digest": waiting["digest"], "comment": "fine"}
    decided = (await house.ask("bo", "POST", f"/v1/approvals/{waiting['id']}/approve", decide)).json()
    demand_shape(shapes.Approval, decided)
    for each in (await house.ask("bo", "GET", "/v1/events?limit=1000")).json()["items"]:
        demand_shape(shapes.Event, each)
    lease = (await house.ask("bot", "POST", "/v1/leases/acquire", {"resources": ["a:b"]})).json()
    demand_shape(shapes.Lease, lease)
    body = {"when": "0 9 * * 1-5", "command": {"args": {"action": "greet", "params": {"name": "bob"}}}}
    scheduled = (await house.ask("bo", "POST", "/v1/schedules", body)).json()
    demand_shape(shapes.Schedule, scheduled)
    queued = (await house.ask("ci", "POST", "/v1/leases/acquire", {"resources": ["a:b"], "wait_seconds": 9})).json()
    demand_shape(shapes.Ticket, queued)
