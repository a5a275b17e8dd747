"""Locks in Slack beside leases over HTTP: one queue, and each hears of it where they are."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hubs import until

from core.people import keys

pytestmark = pytest.mark.anyio
_TRIGGERS = itertools.count(100)


async def http(office: Any, who: str, method: str, path: str, body: Any = None) -> Any:
    """The answer to `who` over HTTP."""
    hub = office.bench.hub
    key = await hub.db.write(
        lambda tx: keys.create(tx, by="operator", principal=hub.world.people.find(who), decide=True)
    )
    return await office.client.request(method, path, json=body, headers={"authorization": f"Bearer {key}"})


async def say(office: Any, text: str, user: str) -> str:
    """The words that a command of its own is answered with."""
    return str(await office.say(text, user=user, trigger=f"t{next(_TRIGGERS)}"))


def words_to(office: Any, user: str) -> list[str]:
    """What stands in a person's direct messages."""
    return [each.text for each in office.far.messages if each.channel == f"D{user[1:]}"]


async def test_a_lock_in_slack_and_a_lease_over_http_stand_in_one_queue(office: Any) -> None:
    async with office() as o:
        assert (await say(o, "lock env:prod for 2h because migration", "U1")).startswith("L1: you hold env:prod")
        asked = {"resources": ["env:prod"], "wait_seconds": 60, "purpose": "release"}
        waits = await http(o, "bo", "POST", "/v1/leases/acquire", asked)
        assert (waits.status_code, waits.json()["position"]) == (202, 1)
        behind = await say(o, "lock env:prod because hotfix", "U3")
        assert "Ana Ruiz has env:prod (L1) until" in behind and "migration" in behind
        assert "T3: you are 2nd in the queue" in behind

        assert await say(o, "unlock L1", "U1") == "L1: given back"
        ticket = (await http(o, "bo", "GET", f"/v1/leases/tickets/{waits.json()['ticket']}")).json()
        assert ticket["state"] == "granted"
        lease = ticket["lease"]
        listed = await say(o, "locks", "U1")
        assert "Bo Lind" in listed and "release" in listed and "T3  Cai Wu waits for env:prod, 1st" in listed

        released = await http(o, "bo", "POST", f"/v1/leases/{lease['lock_id']}/release", {"token": lease["token"]})
        assert released.status_code == 200
        await until(lambda: len(words_to(o, "U3")) == 1)
        assert "L3: env:prod is yours now" in words_to(o, "U3")[0]


async def test_a_lock_that_is_given_away_or_broken_elsewhere_is_told_in_slack(office: Any) -> None:
    async with office() as o:
        await say(o, "lock env:prod because migration", "U2")
        assert "Cai Wu has env:prod now" in await say(o, "transfer L1 to @cai", "U2")
        await until(lambda: len(words_to(o, "U3")) == 1)
        assert "Bo Lind gave you env:prod" in words_to(o, "U3")[0]
        broken = await http(o, "ana", "POST", "/v1/leases/L2/break", {"reason": "production <is> down"})
        assert broken.status_code == 200, broken.text
        await until(lambda: len(words_to(o, "U3")) == 2)
        assert "Ana Ruiz broke your lease on env:prod: production &lt;is&gt; down" in words_to(o, "U3")[1]
        assert await say(o, "locks", "U1") == "Nothing is leased."
