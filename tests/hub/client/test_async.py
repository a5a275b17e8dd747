"""The same for asyncio, and what is its own: cancelling and being cancelled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from processes import HubProcess
from wire import Fault, Wire

from hub.client import AsyncClient, Client, Deadlock, Held, LeaseLost, Rejected, Unreachable, gate

pytestmark = pytest.mark.anyio
ClientOf = Callable[[str], Client]


@pytest.fixture
async def ana(hub: HubProcess) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(hub.url, hub.key("ana")) as client:
        yield client


async def test_a_lease_is_held_for_a_body(ana: AsyncClient, client_of: ClientOf) -> None:
    async with ana.lease("env:prod", wait=60) as lease:
        lease.check()
        assert lease.environ == {"INTERLOCK_FENCE": str(lease.token), "INTERLOCK_LEASE": lease.lock_id}
        with pytest.raises(Held):
            await asyncio.to_thread(client_of("bo").lease("env:prod").__enter__)
    assert await ana.leases() == []


async def test_the_body_is_cancelled_when_the_lease_is_lost(ana: AsyncClient, client_of: ClientOf) -> None:
    with pytest.raises(LeaseLost, match="broken"):
        async with ana.lease("env:prod", ttl=1.5) as lease, asyncio.timeout(20):
            boss = client_of("ana")
            boss._http.post(f"/v1/leases/{lease.lock_id}/break", json={"reason": "needed now"}).raise_for_status()
            await asyncio.Event().wait()
    assert lease.lost.is_set()
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0, "nobody else is cancelled for it"


async def test_a_body_that_wants_to_tidy_up_by_itself_is_only_told(ana: AsyncClient, client_of: ClientOf) -> None:
    with pytest.raises(LeaseLost):
        async with ana.lease("env:prod", ttl=1.5, cancel=False) as lease, asyncio.timeout(20):
            boss = client_of("ana")
            boss._http.post(f"/v1/leases/{lease.lock_id}/break", json={"reason": "needed now"}).raise_for_status()
            await lease.lost.wait()


async def test_a_task_that_is_cancelled_in_its_body_gives_the_lease_back(ana: AsyncClient) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with ana.lease("env:prod"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    async with asyncio.timeout(20):
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await ana.leases() == []


async def test_a_task_that_is_cancelled_while_it_waits_leaves_no_place(
    hub: HubProcess, wire: Wire, ana: AsyncClient
) -> None:
    async with ana.lease("env:prod"), AsyncClient(wire.url, hub.key("bo")) as bo:

        async def work() -> None:
            async with bo.lease("env:prod", wait=60):
                raise AssertionError("it is held")

        task = asyncio.create_task(work())
        await asyncio.to_thread(wire.await_seen, lambda seen: any("/tickets/" in each for each in seen))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await bo.say("locks")).data["data"]["waiting"] == []


async def test_a_grant_whose_answer_never_arrived_is_given_back_when_the_wait_is_cancelled(
    hub: HubProcess, wire: Wire, ana: AsyncClient
) -> None:
    wire.faults += [
        Fault(path="/acquire", lost=True),
        Fault(path="/acquire", status=503, headers=(("retry-after", "30"),)),
    ]
    async with AsyncClient(wire.url, hub.key("bo")) as bo:
        task = asyncio.create_task(bo.lease("env:prod").__aenter__())
        await asyncio.to_thread(wire.await_seen, lambda seen: len(seen) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await ana.leases() == []


async def test_work_that_blocks_the_event_loop_keeps_its_lease(hub: HubProcess, wire: Wire) -> None:
    async with AsyncClient(wire.url, hub.key("ana")) as ana, ana.lease("env:prod", ttl=1) as lease:
        began = time.monotonic()
        wire.await_seen(lambda seen: sum(each.endswith("/heartbeat") for each in seen) >= 4)
        assert time.monotonic() - began > 1
        lease.check()


async def test_two_tasks_of_one_client_that_would_wait_for_each_other_are_told(ana: AsyncClient) -> None:
    both = asyncio.Barrier(2)

    async def take(first: str, second: str) -> str:
        async with ana.lease(first):
            await both.wait()
            try:
                async with ana.lease(second, wait=20):
                    return "had both"
            except Deadlock:
                return "told"

    async with asyncio.timeout(30):
        ends = await asyncio.gather(take("env:a", "env:b"), take("env:b", "env:a"))
    assert sorted(ends) == ["had both", "told"]


async def test_asking_waiting_and_a_gate(hub: HubProcess, ana: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_URL", hub.url)
    monkeypatch.setenv("INTERLOCK_KEY", hub.key("ana"))
    called: list[str] = []

    @gate("touch")
    async def touch(name: str) -> None:
        called.append(name)

    async with AsyncClient(hub.url, hub.key("bo")) as bo, asyncio.timeout(60):
        for verdict, calls in ((bo.approve, ["gated"]), (bo.reject, ["gated"])):
            newest = await ana.ask("touch", {"name": "other"})
            running = asyncio.create_task(touch("gated"))
            number = f"A{int(newest.id[1:]) + 1}"
            while (reply := await bo.say(f"show {number}")).approval is None or reply.approval.state != "REVIEWING":
                assert not running.done()
            await verdict(reply.approval)
            if verdict == bo.reject:
                with pytest.raises(Rejected):
                    await running
            else:
                await running
            assert called == calls
            assert (await bo.wait(number)).settled


async def test_a_cancelled_gate_takes_its_request_back(ana: AsyncClient) -> None:
    newest = await ana.ask("touch", {"name": "other"})
    number = f"A{int(newest.id[1:]) + 1}"
    task = asyncio.create_task(ana.carry_out("touch", {"name": "late"}))
    async with asyncio.timeout(30):
        while (await ana.say(f"show {number}")).approval is None:
            assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await ana.show(number)).state == "WITHDRAWN"


async def test_a_hub_that_is_not_there_is_unreachable(hub: HubProcess, wire: Wire) -> None:
    wire.cut = True
    async with AsyncClient(wire.url, hub.key("ana"), patience=0.3) as ana:
        with pytest.raises(Unreachable):
            await ana.show("A1")
