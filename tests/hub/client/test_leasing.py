"""Holding leases: heartbeats, deadlines, loss, queues, and what is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from processes import HubProcess
from wire import Fault, Wire

from hub.client import Client, Deadlock, Held, LeaseLost, WaitOver

ClientOf = Callable[[str], Client]


def test_a_lease_is_held_from_the_beginning_of_a_body_to_its_end(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    with ana.lease("env:prod", "service:web", purpose="migration") as lease:
        lease.check()
        assert 20 < lease.remaining <= 27
        with pytest.raises(Held) as raised, bo.lease("service:web"):
            pass
        (holder,) = raised.value.held_by
        assert holder["purpose"] == "migration"
    assert lease.remaining == 0
    with bo.lease("service:web") as later:
        assert later.token > lease.token


def test_who_waits_hears_their_place_and_gets_it_when_it_is_free(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    places: list[int] = []
    waiting = threading.Event()

    def told(ticket: object) -> None:
        assert isinstance(ticket, dict)
        places.append(ticket["position"])
        waiting.set()

    def second() -> int:
        with bo.lease("env:prod", wait=30, on_place=told) as lease:
            return lease.token

    with ThreadPoolExecutor() as pool:
        with ana.lease("env:prod") as first:
            running = pool.submit(second)
            assert waiting.wait(20)
        assert running.result(20) > first.token
    assert places[0] == 1


def test_a_wait_that_was_in_vain_leaves_no_place_behind(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    with ana.lease("env:prod"):
        with pytest.raises(WaitOver), bo.lease("env:prod", wait=0.3):
            pass
        assert bo.say("locks").data["data"]["waiting"] == []


def test_a_broken_lease_is_lost_at_the_next_heartbeat(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    told = threading.Event()
    with pytest.raises(LeaseLost, match="broken"), bo.lease("env:prod", ttl=1.5) as lease:
        lease.when_lost(told.set)
        ana._http.post(f"/v1/leases/{lease.lock_id}/break", json={"reason": "needed now"}).raise_for_status()
        assert told.wait(20)
        assert lease.lost.is_set()
        with pytest.raises(LeaseLost):
            lease.check()


def test_the_bodys_own_error_is_not_hidden_by_a_lost_lease(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    with pytest.raises(ZeroDivisionError), bo.lease("env:prod") as lease:
        ana._http.post(f"/v1/leases/{lease.lock_id}/break", json={"reason": "needed now"}).raise_for_status()
        _ = 1 // 0


def test_a_hub_out_of_reach_loses_the_lease_before_it_ends_there(hub: HubProcess, wire: Wire) -> None:
    with (
        Client(wire.url, hub.key("bo"), patience=0.2) as bo,
        pytest.raises(LeaseLost, match="in time"),
        bo.lease("env:prod", ttl=2) as lease,
    ):
        wire.cut = True
        assert lease.lost.wait(20)
        assert datetime.now(UTC) < datetime.fromisoformat(lease.raw["expires_at"])


def test_a_lease_outlives_a_hub_that_is_killed_and_started_again(own_hub: HubProcess) -> None:
    with (
        Client(own_hub.url, own_hub.key("bo")) as bo,
        Wire(own_hub.url) as wire,
        Client(wire.url, own_hub.key("ana")) as ana,
        ana.lease("env:prod", ttl=60) as lease,
    ):
        own_hub.restart()
        lease.put_off(0)
        wire.await_seen(lambda seen: f"POST /v1/leases/{lease.lock_id}/heartbeat" in seen)
        lease.check()
        with pytest.raises(Held), bo.lease("env:prod"):
            pass


def test_an_acquire_whose_answer_was_lost_is_one_lease(hub: HubProcess, wire: Wire) -> None:
    wire.faults.append(Fault(path="/v1/leases/acquire", lost=True))
    with Client(wire.url, hub.key("ana")) as ana, ana.lease("env:prod") as lease:
        assert [each["lock_id"] for each in ana.leases()] == [lease.lock_id]
    assert wire.faults == []


def test_a_release_whose_answer_was_lost_is_no_lost_lease(hub: HubProcess, wire: Wire) -> None:
    with Client(wire.url, hub.key("ana")) as ana:
        with ana.lease("env:prod"):
            wire.faults.append(Fault(path="/release", lost=True))
        assert wire.faults == []
        assert ana.leases() == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_heartbeat_that_is_put_off_costs_nothing(hub: HubProcess, wire: Wire, status: int) -> None:
    with Client(wire.url, hub.key("ana")) as ana, ana.lease("env:prod", ttl=2):
        wire.faults.append(Fault(path="/heartbeat", status=status))
        wire.await_seen(lambda seen: sum(each.endswith("/heartbeat") for each in seen) >= 3)


def test_leases_of_one_client_are_renewed_together(hub: HubProcess, wire: Wire) -> None:
    with (
        Client(wire.url, hub.key("ana")) as ana,
        ana.lease("env:a", ttl=1.5) as one,
        ana.lease("env:b", ttl=1.5) as other,
    ):
        wire.await_seen(lambda seen: seen.count("POST /v1/leases/heartbeat") >= 3)
        one.check()
        other.check()


def test_one_that_was_broken_among_many_is_lost_alone(hub: HubProcess, wire: Wire, client_of: ClientOf) -> None:
    bo = client_of("bo")
    with bo.lease("env:a", ttl=1.5) as stays, pytest.raises(LeaseLost), bo.lease("env:b", ttl=1.5) as broken:
        ana = client_of("ana")
        ana._http.post(f"/v1/leases/{broken.lock_id}/break", json={"reason": "needed now"}).raise_for_status()
        assert broken.lost.wait(20)
        stays.check()


def test_two_threads_that_would_wait_for_each_other_are_told(client_of: ClientOf) -> None:
    ana = client_of("ana")
    both = threading.Barrier(2)

    def take(first: str, second: str) -> str:
        with ana.lease(first):
            both.wait(20)
            try:
                with ana.lease(second, wait=20):
                    return "had both"
            except Deadlock as deadlock:
                assert deadlock.cycle
                return "told"

    with ThreadPoolExecutor() as pool:
        ends = [pool.submit(take, "env:a", "env:b"), pool.submit(take, "env:b", "env:a")]
        assert sorted(each.result(30) for each in ends) == ["had both", "told"]


def test_readers_share_and_a_writer_keeps_them_off(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    with (
        ana.lease("env:prod", shared=True),
        bo.lease("env:prod", shared=True),
        pytest.raises(Held),
        bo.lease("env:prod"),
    ):
        pass


def test_the_longest_hold_ends_a_lease_in_spite_of_heartbeats(client_of: ClientOf) -> None:
    ana = client_of("ana")
    with pytest.raises(LeaseLost), ana.lease("env:prod", ttl=1, max_hold=2) as lease:
        assert lease.lost.wait(20)
