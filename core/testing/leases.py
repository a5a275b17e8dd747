"""The contract of a lease store: subclass `LeaseStoreContract`, give it the fixture `store`, and run pytest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from core.clock import SECOND
from core.errors import Conflict, Invalid, NotFound
from core.leases.lease import Lease, Ticket
from core.leases.request import Acquire
from core.leases.terms import PLAIN, RUN, LeaseLimits
from core.testing.lease_store import LeaseStore
from core.testing.lease_traces import Follower, Step, traces


def held(answer: Lease | Ticket) -> Lease:
    assert isinstance(answer, Lease), f"not granted at once: {answer}"
    return answer


def queued(answer: Lease | Ticket) -> Ticket:
    assert isinstance(answer, Ticket), f"did not have to wait: {answer}"
    return answer


def ask(principal: str, *resources: str, **more: Any) -> Acquire:
    return Acquire(principal=principal, resources=resources, **more)


def wait(principal: str, *resources: str, **more: Any) -> Acquire:
    return ask(principal, *resources, wait_seconds=more.pop("wait_seconds", 1000.0), **more)


class LeaseStoreContract:
    """What every store of leases does. `store` is a fresh one under a ManualClock."""

    @pytest.fixture
    def store(self) -> LeaseStore:
        raise NotImplementedError("a subclass gives the store")

    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    @given(trace=traces)
    def test_it_does_what_the_rules_say_after_every_step(self, store: LeaseStore, trace: list[Step]) -> None:
        store.reset()
        follower = Follower(store)
        for pause, asked in trace:
            follower.follow(pause, asked)

    # Asking

    def test_an_exclusive_lease_keeps_everybody_off_and_says_who_has_it(self, store: LeaseStore) -> None:
        first = held(store.acquire(ask("ana", "env:prod", purpose="a migration", holder="task-1")))
        with pytest.raises(Conflict) as refused:
            store.acquire(ask("bo", "env:prod"))
        assert refused.value.code == "held"
        (holder,) = refused.value.data["held_by"]
        assert (holder["holder"], holder["principal"], holder["purpose"]) == ("task-1", "ana", "a migration")
        assert holder["since"] == first.fields["acquired_at"]
        assert holder["expires_at"] == first.fields["expires_at"]

    def test_all_or_none_are_acquired(self, store: LeaseStore) -> None:
        held(store.acquire(ask("ana", "env:b")))
        with pytest.raises(Conflict):
            store.acquire(ask("bo", "env:a", "env:b", "env:c"))
        held(store.acquire(ask("cai", "env:a", "env:c")))

    def test_shared_leases_stand_together_and_an_exclusive_one_alone(self, store: LeaseStore) -> None:
        held(store.acquire(ask("ana", "env:a", mode="shared")))
        held(store.acquire(ask("bo", "env:a", mode="shared")))
        with pytest.raises(Conflict) as refused:
            store.acquire(ask("cai", "env:a"))
        assert len(refused.value.data["held_by"]) == 2

    @pytest.mark.parametrize(
        ("first", "second", "conflict"),
        [
            ("repo:web", "repo:web/src", True),
            ("repo:web/src", "repo:web", True),
            ("repo:web/src/a", "repo:web", True),
            ("repo:web/src", "repo:web/doc", False),
            ("repo:web", "repo:web2", False),
            ("repo:web", "env:web", False),
        ],
    )
    def test_a_resource_conflicts_with_what_is_above_and_below_it(
        self, store: LeaseStore, first: str, second: str, conflict: bool
    ) -> None:
        held(store.acquire(ask("ana", first)))
        if conflict:
            with pytest.raises(Conflict):
                store.acquire(ask("bo", second))
        else:
            held(store.acquire(ask("bo", second)))

    def test_a_repeated_request_answers_with_the_present_state(self, store: LeaseStore) -> None:
        request = ask("ana", "env:a", request_key="k1")
        first = held(store.acquire(request))
        assert held(store.acquire(request)) == first
        store.clock.advance(10)
        store.heartbeat("ana", first.lock_id, first.token)
        again = held(store.acquire(request))
        assert (again.lock_id, again.token) == (first.lock_id, first.token)
        assert again.expires_at == (first.expires_at or 0) + 10 * SECOND
        store.release("ana", first.lock_id, first.token)
        assert held(store.acquire(request)).ended == "released"
        assert [name for name, _ in store.events()] == ["lease:acquired", "lease:released"]

    def test_a_key_of_another_principal_is_another_key(self, store: LeaseStore) -> None:
        first = held(store.acquire(ask("ana", "env:a", request_key="k1")))
        second = held(store.acquire(ask("bo", "env:b", request_key="k1")))
        assert first.lock_id != second.lock_id

    def test_a_key_does_not_stand_for_two_requests(self, store: LeaseStore) -> None:
        store.acquire(ask("ana", "env:a", request_key="k1"))
        with pytest.raises(Invalid) as refused:
            store.acquire(ask("ana", "env:b", request_key="k1"))
        assert refused.value.code == "key_reused"

    def test_the_limits_of_a_principal_are_its_own(self, store: LeaseStore) -> None:
        limits = LeaseLimits(leases=2, tickets=2, tickets_a_resource=1)
        first = held(store.acquire(ask("ana", "env:a"), limits))
        store.acquire(ask("ana", "env:b"), limits)
        with pytest.raises(Conflict, match="already holds 2 leases") as refused:
            store.acquire(ask("ana", "env:c"), limits)
        assert refused.value.code == "too_many_leases"
        held(store.acquire(ask("bo", "env:c"), limits))
        held(store.acquire(ask("ana", "env:d", rank_class=RUN, kind="run"), limits))
        store.release("ana", first.lock_id, first.token)
        store.clock.advance(31)
        held(store.acquire(ask("ana", "env:e"), limits))

    def test_tickets_are_limited_by_number_and_by_resource(self, store: LeaseStore) -> None:
        limits = LeaseLimits(leases=2, tickets=2, tickets_a_resource=1)
        store.acquire(ask("ana", "env:a", "env:b", "env:c"))
        queued(store.acquire(wait("bo", "env:a"), limits))
        with pytest.raises(Conflict) as a_resource:
            store.acquire(wait("bo", "env:a", "env:b"), limits)
        queued(store.acquire(wait("bo", "env:b"), limits))
        with pytest.raises(Conflict) as at_all:
            store.acquire(wait("bo", "env:c"), limits)
        assert a_resource.value.code == at_all.value.code == "too_many_tickets"

    # Heartbeats and the end of time

    def test_a_heartbeat_sets_the_expiry_and_does_not_add_to_it(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=30)))
        store.clock.advance(10)
        for _ in range(3):
            renewed = store.heartbeat("ana", lease.lock_id, lease.token)
        assert renewed.expires_at == store.clock.wall_us() + 30 * SECOND
        assert renewed.heartbeat_at == store.clock.wall_us()

    def test_a_stale_lease_can_neither_renew_nor_release(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=30)))
        store.clock.advance(30)
        for act in (store.heartbeat, store.release):
            with pytest.raises(Conflict) as refused:
                act("ana", lease.lock_id, lease.token)
            assert refused.value.code == "lease_lost"
        held(store.acquire(ask("bo", "env:a")))
        for act in (store.heartbeat, store.release):
            with pytest.raises(Conflict, match="reclaimed") as refused:
                act("ana", lease.lock_id, lease.token)
            assert refused.value.code == "lease_lost"

    def test_another_token_or_principal_can_do_nothing(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        for act in (store.heartbeat, store.release):
            with pytest.raises(Conflict):
                act("ana", lease.lock_id, lease.token + 1)
            with pytest.raises(NotFound):
                act("bo", lease.lock_id, lease.token)
        assert store.heartbeat("ana", lease.lock_id, lease.token).state == "held"

    def test_renewal_ends_at_the_longest_hold(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=30, max_hold_seconds=50)))
        store.clock.advance(25)
        assert store.heartbeat("ana", lease.lock_id, lease.token).expires_at == lease.acquired_at + 50 * SECOND
        store.clock.advance(25)
        with pytest.raises(Conflict):
            store.heartbeat("ana", lease.lock_id, lease.token)

    def test_renewals_are_sampled_in_the_log(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=30)))
        store.events()
        for _ in range(125):
            store.clock.advance(10)
            store.heartbeat("ana", lease.lock_id, lease.token)
        assert store.events() == [("lease:renewed", lease.lock_id)] * 2

    def test_a_session_renews_its_own_leases_in_one_write(self, store: LeaseStore) -> None:
        mine = [held(store.acquire(ask("ana", f"env:{n}", session="s1"))) for n in range(3)]
        other = held(store.acquire(ask("ana", "env:other", session="s2")))
        store.release("ana", mine[1].lock_id, mine[1].token)
        store.clock.advance(10)
        pairs = [(lease.lock_id, lease.token) for lease in (*mine, other)]
        pairs[2] = (mine[2].lock_id, mine[2].token + 1)
        renewed = store.heartbeat_session("ana", "s1", pairs)
        assert [lease.lock_id for lease in renewed] == [mine[0].lock_id]
        assert renewed[0].expires_at == store.clock.wall_us() + 30 * SECOND
        assert store.heartbeat_session("bo", "s1", pairs) == []

    def test_a_released_lease_answers_a_repeated_release_the_same(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        first = store.release("ana", lease.lock_id, lease.token)
        store.clock.advance(100)
        assert store.release("ana", lease.lock_id, lease.token) == first
        assert [name for name, _ in store.events()].count("lease:released") == 1

    def test_a_lock_by_command_lives_for_its_time_and_needs_no_token(self, store: LeaseStore) -> None:
        lock = held(store.acquire(ask("ana", "env:a", kind="lock", ttl_seconds=1800)))
        store.clock.advance(1799)
        with pytest.raises(NotFound):
            store.release("bo", lock.lock_id, None)
        assert store.release("ana", lock.lock_id, None).ended == "released"

    def test_only_a_lock_by_command_is_given_back_without_a_token(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        with pytest.raises(Invalid) as refused:
            store.release("ana", lease.lock_id, None)
        assert refused.value.code == "token_required"

    def test_breaking_needs_a_reason_and_a_lease_in_force(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        with pytest.raises(Invalid):
            store.break_("dee", lease.lock_id, "  ")
        assert store.break_("dee", lease.lock_id, "it hangs").ended == "broken"
        with pytest.raises(Conflict, match="broken"):
            store.heartbeat("ana", lease.lock_id, lease.token)
        with pytest.raises(Conflict):
            store.break_("dee", lease.lock_id, "again")

    # Waiting

    def test_a_release_hands_the_lease_to_the_next_in_the_same_write(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        first = queued(store.acquire(wait("bo", "env:a")))
        second = queued(store.acquire(wait("cai", "env:a")))
        assert (first.position, second.position) == (1, 2)
        store.events()
        store.release("ana", lease.lock_id, lease.token)
        assert store.events() == [("lease:released", lease.lock_id), ("lease:acquired", first.lock_id)]
        granted = store.poll("bo", first.id)
        assert granted.state == "granted"
        assert granted.lease is not None and granted.lease.token > lease.token
        assert store.poll("cai", second.id).position == 1

    def test_nobody_overtakes_a_wide_request(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        wide = queued(store.acquire(wait("bo", "env:a", "env:b")))
        with pytest.raises(Conflict) as refused:
            store.acquire(ask("cai", "env:b"))
        assert refused.value.data["held_by"] == []
        store.release("ana", lease.lock_id, lease.token)
        assert store.poll("bo", wide.id).state == "granted"

    def test_a_parent_is_not_starved_by_its_children(self, store: LeaseStore) -> None:
        child = held(store.acquire(ask("ana", "repo:web/src")))
        parent = queued(store.acquire(wait("bo", "repo:web")))
        other = queued(store.acquire(wait("cai", "repo:web/doc")))
        store.release("ana", child.lock_id, child.token)
        assert store.poll("bo", parent.id).state == "granted"
        assert store.poll("cai", other.id).state == "waiting"

    def test_shared_waiters_are_granted_together_up_to_the_first_exclusive_one(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        shared = [queued(store.acquire(wait("bo", "env:a", mode="shared"))) for _ in range(2)]
        alone = queued(store.acquire(wait("cai", "env:a")))
        late = queued(store.acquire(wait("dee", "env:a", mode="shared")))
        store.release("ana", lease.lock_id, lease.token)
        assert [store.poll("bo", ticket.id).state for ticket in shared] == ["granted", "granted"]
        assert store.poll("cai", alone.id).state == "waiting"
        assert store.poll("dee", late.id).state == "waiting"

    def test_a_run_comes_before_plain_leases_that_wait(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        plain = queued(store.acquire(wait("bo", "env:a", rank_class=PLAIN)))
        run = queued(store.acquire(wait("cai", "env:a", rank_class=RUN, kind="run")))
        assert run.position == 1
        store.release("ana", lease.lock_id, lease.token)
        assert store.poll("cai", run.id).state == "granted"
        assert store.poll("bo", plain.id).position == 1

    def test_a_dead_waiter_is_skipped_and_removed_at_handoff(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=100)))
        dead = queued(store.acquire(wait("bo", "env:a")))
        store.clock.advance(20)
        alive = queued(store.acquire(wait("cai", "env:a")))
        store.clock.advance(20)
        store.events()
        store.release("ana", lease.lock_id, lease.token)
        assert store.events() == [
            ("lease:released", lease.lock_id),
            ("lease:cancelled", dead.lock_id),
            ("lease:acquired", alive.lock_id),
        ]
        assert store.poll("bo", dead.id).state == "expired"

    def test_asking_keeps_a_place_alive(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=1000)))
        ticket = queued(store.acquire(wait("bo", "env:a")))
        for _ in range(5):
            store.clock.advance(29)
            assert store.poll("bo", ticket.id).state == "waiting"
        store.clock.advance(30)
        assert store.poll("bo", ticket.id).state == "expired"
        assert store.events()[-1] == ("lease:cancelled", ticket.lock_id)
        store.release("ana", lease.lock_id, lease.token)
        held(store.acquire(ask("cai", "env:a")))

    def test_a_place_lapses_after_its_ttl_where_that_is_longer(self, store: LeaseStore) -> None:
        store.acquire(ask("ana", "env:a", ttl_seconds=1000))
        ticket = queued(store.acquire(wait("bo", "env:a", ttl_seconds=90)))
        store.clock.advance(89)
        assert store.poll("bo", ticket.id).state == "waiting"

    def test_nobody_waits_longer_than_they_wanted(self, store: LeaseStore) -> None:
        store.acquire(ask("ana", "env:a", ttl_seconds=1000))
        ticket = queued(store.acquire(wait("bo", "env:a", wait_seconds=40)))
        store.clock.advance(20)
        store.poll("bo", ticket.id)
        store.clock.advance(20)
        assert store.poll("bo", ticket.id).state == "expired"

    def test_asking_grants_what_lapsed_meanwhile(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=10)))
        ticket = queued(store.acquire(wait("bo", "env:a")))
        store.clock.advance(10)
        store.events()
        assert store.poll("bo", ticket.id).state == "granted"
        assert store.events() == [("lease:reclaimed", lease.lock_id), ("lease:acquired", ticket.lock_id)]

    def test_everybody_who_waited_for_what_is_free_gets_it_at_once(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", "env:b")))
        waiting = [queued(store.acquire(wait("bo", f"env:{name}"))) for name in "ab"]
        store.events()
        store.release("ana", lease.lock_id, lease.token)
        assert store.events()[1:] == [("lease:acquired", ticket.lock_id) for ticket in waiting]

    def test_what_a_reclaimed_lease_had_besides_is_handed_out_too(self, store: LeaseStore) -> None:
        wide = held(store.acquire(ask("ana", "env:a", "env:b", ttl_seconds=10)))
        other = held(store.acquire(ask("ana", "env:c")))
        first = queued(store.acquire(wait("bo", "env:a", "env:c")))
        second = queued(store.acquire(wait("cai", "env:b")))
        store.clock.advance(10)
        store.events()
        store.release("ana", other.lock_id, other.token)
        assert store.events() == [
            ("lease:released", other.lock_id),
            ("lease:reclaimed", wide.lock_id),
            ("lease:acquired", first.lock_id),
            ("lease:acquired", second.lock_id),
        ]

    def test_asking_hands_out_to_the_others_too(self, store: LeaseStore) -> None:
        wide = held(store.acquire(ask("ana", "env:a", "env:b", ttl_seconds=10)))
        waiting = [queued(store.acquire(wait("bo", f"env:{name}"))) for name in "ab"]
        store.clock.advance(10)
        store.events()
        store.poll("bo", waiting[1].id)
        assert store.events() == [
            ("lease:reclaimed", wide.lock_id),
            ("lease:acquired", waiting[1].lock_id),
            ("lease:acquired", waiting[0].lock_id),
        ]

    def test_a_place_found_dead_lets_the_next_go_on(self, store: LeaseStore) -> None:
        held(store.acquire(ask("ana", "env:a", mode="shared", ttl_seconds=100)))
        dead = queued(store.acquire(wait("bo", "env:a")))
        store.clock.advance(20)
        shared = queued(store.acquire(wait("cai", "env:a", mode="shared")))
        store.clock.advance(10)
        store.events()
        assert store.poll("bo", dead.id).state == "expired"
        assert store.events() == [("lease:cancelled", dead.lock_id), ("lease:acquired", shared.lock_id)]

    @pytest.mark.parametrize("waits", [True, False])
    def test_whoever_comes_next_replaces_everything_that_lapsed_there(self, store: LeaseStore, waits: bool) -> None:
        lapsed = [held(store.acquire(ask("ana", "env:a", mode="shared", ttl_seconds=10))) for _ in range(3)]
        ticket = queued(store.acquire(wait("bo", "env:a"))) if waits else None
        store.clock.advance(10)
        store.events()
        if ticket is None:
            granted = held(store.acquire(ask("bo", "env:a"))).lock_id
        else:
            granted = store.poll("bo", ticket.id).lock_id
        assert store.events() == [
            *(("lease:reclaimed", lease.lock_id) for lease in lapsed),
            ("lease:acquired", granted),
        ]

    def test_a_cancelled_place_lets_the_next_go_on(self, store: LeaseStore) -> None:
        held(store.acquire(ask("ana", "env:a", mode="shared")))
        alone = queued(store.acquire(wait("bo", "env:a")))
        shared = queued(store.acquire(wait("cai", "env:a", mode="shared")))
        assert store.cancel("bo", alone.id).state == "cancelled"
        assert store.poll("cai", shared.id).state == "granted"
        assert store.cancel("bo", alone.id).state == "cancelled"

    def test_a_granted_place_cannot_be_cancelled(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        ticket = queued(store.acquire(wait("bo", "env:a")))
        store.release("ana", lease.lock_id, lease.token)
        with pytest.raises(Conflict) as refused:
            store.cancel("bo", ticket.id)
        assert refused.value.code == "already_granted"
        with pytest.raises(NotFound):
            store.cancel("cai", ticket.id)
        with pytest.raises(NotFound):
            store.poll("cai", ticket.id)

    # Time

    def test_a_tick_reclaims_a_bounded_number_and_says_when_to_come_again(self, store: LeaseStore) -> None:
        first = [held(store.acquire(ask("ana", f"env:{n}", ttl_seconds=10))) for n in range(5)]
        last = held(store.acquire(ask("ana", "env:late", ttl_seconds=60)))
        next_one = queued(store.acquire(wait("bo", "env:0")))
        store.clock.advance(10)
        now = store.clock.wall_us()
        store.events()
        assert store.tick(3) == now
        assert store.events() == [
            ("lease:reclaimed", first[0].lock_id),
            ("lease:acquired", next_one.lock_id),
            ("lease:reclaimed", first[1].lock_id),
            ("lease:reclaimed", first[2].lock_id),
        ]
        assert store.tick(3) == now + 30 * SECOND
        store.clock.advance(30)
        assert store.tick() == last.expires_at

    def test_there_is_no_deadline_without_leases(self, store: LeaseStore) -> None:
        assert store.tick() is None

    def test_tokens_only_grow_whatever_the_clock_does(self, store: LeaseStore) -> None:
        tokens = []
        for seconds in (0, 10, -3600, 5, 0):
            store.clock.jump(seconds)
            lease = held(store.acquire(ask("ana", "env:a")))
            tokens.append(lease.token)
            store.release("ana", lease.lock_id, lease.token)
        assert tokens == sorted(set(tokens))

    def test_a_new_epoch_starts_above_what_was_seen(self, store: LeaseStore) -> None:
        before = held(store.acquire(ask("ana", "env:a")))
        seen = before.token + 10**12
        assert store.raise_epoch(seen) == store.raise_epoch() - 1
        assert held(store.acquire(ask("ana", "env:b"))).token > seen

    def test_leases_that_lived_when_a_stall_began_get_that_time(self, store: LeaseStore) -> None:
        short = held(store.acquire(ask("ana", "env:a", ttl_seconds=10)))
        middle = held(store.acquire(ask("ana", "env:m", ttl_seconds=50)))
        long = held(store.acquire(ask("ana", "env:b", ttl_seconds=300)))
        dead = held(store.acquire(ask("ana", "env:c", ttl_seconds=1)))
        store.clock.advance(21)
        store.forgive(20 * SECOND)
        assert store.heartbeat("ana", short.lock_id, short.token).state == "held"
        store.clock.advance(40)
        assert store.heartbeat("ana", middle.lock_id, middle.token).state == "held"
        assert store.heartbeat("ana", long.lock_id, long.token).expires_at == store.clock.wall_us() + 300 * SECOND
        with pytest.raises(Conflict):
            store.heartbeat("ana", dead.lock_id, dead.token)

    # Runs

    def test_the_resources_of_an_unknown_run_stay_closed_until_it_is_resolved(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", rank_class=RUN, kind="run", approval=1)))
        ticket = queued(store.acquire(wait("bo", "env:a", ttl_seconds=3000)))
        store.close_for_run(lease.number)
        store.clock.advance(500)
        store.tick()
        assert store.poll("bo", ticket.id).state == "waiting"
        with pytest.raises(Conflict) as refused:
            store.acquire(ask("cai", "env:a"))
        assert refused.value.data["held_by"][0]["expires_at"] is None
        for act in (store.heartbeat, store.release):
            with pytest.raises(Conflict) as closed:
                act("ana", lease.lock_id, lease.token)
            assert closed.value.code == "lease_closed"
        with pytest.raises(Conflict):
            store.break_("dee", lease.lock_id, "impatient")
        store.end_for_approval(1)
        assert store.poll("bo", ticket.id).state == "waiting"
        assert store.reopen_for_run(lease.number)
        assert store.poll("bo", ticket.id).state == "granted"
        assert not store.reopen_for_run(lease.number)

    def test_a_lease_that_lapsed_before_its_run_became_unknown_closes_all_the_same(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=10)))
        store.clock.advance(10)
        store.tick()
        other = held(store.acquire(ask("bo", "env:a")))
        store.close_for_run(lease.number)
        store.release("bo", other.lock_id, other.token)
        with pytest.raises(Conflict):
            store.acquire(ask("cai", "env:a"))

    def test_the_end_of_an_approval_gives_up_what_it_held_and_waited_for(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", approval=1)))
        waiting = queued(store.acquire(wait("ana", "env:a", approval=2)))
        store.end_for_approval(2)
        assert store.poll("ana", waiting.id).state == "cancelled"
        store.end_for_approval(1)
        assert not store.end_for_run(lease.number)
        held(store.acquire(ask("bo", "env:a")))

    # Fences

    def test_the_fence_lets_nothing_older_pass(self, store: LeaseStore) -> None:
        store.raise_fence(["env:a"], 10)
        store.raise_fence(["env:a"], 10)
        store.check_fence(["env:a"], 10)
        with pytest.raises(Conflict) as refused:
            store.raise_fence(["env:b", "env:a"], 9)
        assert refused.value.code == "fenced"
        store.raise_fence(["env:b"], 9)
        store.raise_fence(["env:a"], 11)
        with pytest.raises(Conflict):
            store.check_fence(["env:a"], 10)

    def test_the_fence_sees_what_happened_above_and_below_but_not_beside(self, store: LeaseStore) -> None:
        store.raise_fence(["repo:web/src"], 10)
        with pytest.raises(Conflict):
            store.raise_fence(["repo:web"], 9)
        store.raise_fence(["repo:web/doc"], 9)
        with pytest.raises(Conflict):
            store.raise_fence(["repo:web/src/a"], 9)
        store.raise_fence(["repo:web"], 11)
        with pytest.raises(Conflict):
            store.check_fence(["repo:web/src"], 10)

    # Deadlocks

    def test_the_same_holder_asking_twice_waits_for_itself(self, store: LeaseStore) -> None:
        store.acquire(ask("ana", "env:a", holder="h"))
        ticket = queued(store.acquire(wait("ana", "env:a", holder="h")))
        assert ticket.state == "refused"
        (step,) = ticket.cycle
        assert (step["holder"], step["principal"], step["resource"]) == ("h", "ana", "env:a")
        assert store.events()[-1] == ("lease:deadlock", ticket.lock_id)
        assert store.poll("ana", ticket.id).state == "refused"

    def test_a_circle_of_holders_is_refused_where_it_closes_and_spelt_out(self, store: LeaseStore) -> None:
        leases = [held(store.acquire(ask("ana", f"env:{n}", holder=f"h{n}"))) for n in range(4)]
        for n in range(3):
            assert queued(store.acquire(wait("ana", f"env:{n + 1}", holder=f"h{n}"))).state == "waiting"
        ticket = queued(store.acquire(wait("ana", "env:0", holder="h3")))
        assert ticket.state == "refused"
        assert [step["holder"] for step in ticket.cycle] == ["h3", "h0", "h1", "h2"]
        assert [step["resource"] for step in ticket.cycle] == ["env:0", "env:1", "env:2", "env:3"]
        refusal = ticket.refusal()
        assert refusal.code == "deadlock"
        assert refusal.message == (
            f"{leases[3].lock_id} of @ana holds env:3 and waits for env:0, "
            f"which {leases[0].lock_id} of @ana holds, which waits for env:1, "
            f"which {leases[1].lock_id} of @ana holds, which waits for env:2, "
            f"which {leases[2].lock_id} of @ana holds, which waits for env:3"
        )
        store.release("ana", leases[3].lock_id, leases[3].token)
        held(store.acquire(ask("bo", "env:9", holder="h3")))

    def test_requests_without_a_holder_are_never_refused_as_deadlocks(self, store: LeaseStore) -> None:
        store.acquire(ask("ana", "env:a"))
        assert queued(store.acquire(wait("ana", "env:a"))).state == "waiting"

    def test_the_same_name_of_another_principal_is_another_holder(self, store: LeaseStore) -> None:
        store.acquire(ask("ana", "env:a", holder="h"))
        assert queued(store.acquire(wait("bo", "env:a", holder="h"))).state == "waiting"

    def test_a_circle_by_rank_alone_moves_a_waiter_and_refuses_nobody(self, store: LeaseStore) -> None:
        first = held(store.acquire(ask("ana", "env:a", holder="h1")))
        wide = queued(store.acquire(wait("bo", "env:a", "env:b", holder="h2")))
        store.events()
        moved = held(store.acquire(wait("ana", "env:b", holder="h1")))
        assert store.events() == [
            ("lease:deadlock", moved.lock_id),
            ("lease:queued", moved.lock_id),
            ("lease:acquired", moved.lock_id),
        ]
        for lease in (moved, first):
            store.release("ana", lease.lock_id, lease.token)
        assert store.poll("bo", wide.id).state == "granted"

    def test_of_a_hard_circle_the_lowest_class_gives_way_even_if_another_closed_it(self, store: LeaseStore) -> None:
        mine = held(store.acquire(ask("ana", "env:a", holder="h1")))
        theirs = held(store.acquire(ask("bo", "env:b", holder="h2")))
        plain = queued(store.acquire(wait("bo", "env:a", holder="h2")))
        run = queued(store.acquire(wait("ana", "env:b", holder="h1", rank_class=RUN, kind="run", approval=1)))
        assert (run.state, store.poll("bo", plain.id).state) == ("waiting", "refused")
        store.release("bo", theirs.lock_id, theirs.token)
        assert store.poll("ana", run.id).state == "granted"
        assert store.heartbeat("ana", mine.lock_id, mine.token).state == "held"

    def test_among_equals_whoever_holds_less_gives_way(self, store: LeaseStore) -> None:
        for name in ("a", "x", "y"):
            held(store.acquire(ask("ana", f"env:{name}", holder="h1")))
        held(store.acquire(ask("bo", "env:b", holder="h2")))
        poor = queued(store.acquire(wait("bo", "env:a", holder="h2")))
        rich = queued(store.acquire(wait("ana", "env:b", holder="h1")))
        assert (rich.state, store.poll("bo", poor.id).state) == ("waiting", "refused")

    # Converting and handing to others

    def test_a_downgrade_lets_others_in_and_needs_the_new_token(self, store: LeaseStore) -> None:
        alone = held(store.acquire(ask("ana", "env:a")))
        ticket = queued(store.acquire(wait("bo", "env:a", mode="shared")))
        shared = held(store.convert("ana", alone.lock_id, alone.token, "shared"))
        assert (shared.mode, shared.token > alone.token) == ("shared", True)
        assert store.poll("bo", ticket.id).state == "granted"
        with pytest.raises(Conflict, match="converted"):
            store.heartbeat("ana", alone.lock_id, alone.token)

    def test_an_upgrade_waits_for_those_who_share_and_comes_before_those_who_wait(self, store: LeaseStore) -> None:
        mine = held(store.acquire(ask("ana", "env:a", mode="shared")))
        other = held(store.acquire(ask("bo", "env:a", mode="shared")))
        late = queued(store.acquire(wait("cai", "env:a")))
        with pytest.raises(Conflict) as refused:
            store.convert("ana", mine.lock_id, mine.token, "exclusive")
        assert [holder["principal"] for holder in refused.value.data["held_by"]] == ["bo"]
        upgrade = queued(store.convert("ana", mine.lock_id, mine.token, "exclusive", 100.0))
        assert upgrade.position == 1
        assert store.heartbeat("ana", mine.lock_id, mine.token).mode == "shared"
        store.release("bo", other.lock_id, other.token)
        granted = store.poll("ana", upgrade.id).lease
        assert granted is not None and granted.mode == "exclusive"
        assert store.poll("cai", late.id).state == "waiting"

    def test_of_two_who_share_and_want_to_be_alone_the_later_gives_way(self, store: LeaseStore) -> None:
        one = held(store.acquire(ask("ana", "env:a", mode="shared")))
        two = held(store.acquire(ask("bo", "env:a", mode="shared")))
        assert queued(store.convert("ana", one.lock_id, one.token, "exclusive", 100.0)).state == "waiting"
        assert queued(store.convert("bo", two.lock_id, two.token, "exclusive", 100.0)).state == "refused"
        assert store.heartbeat("bo", two.lock_id, two.token).state == "held"

    def test_an_upgrade_ends_with_its_lease(self, store: LeaseStore) -> None:
        mine = held(store.acquire(ask("ana", "env:a", mode="shared")))
        store.acquire(ask("bo", "env:a", mode="shared"))
        upgrade = queued(store.convert("ana", mine.lock_id, mine.token, "exclusive", 100.0))
        store.events()
        store.release("ana", mine.lock_id, mine.token)
        assert store.events() == [("lease:released", mine.lock_id), ("lease:cancelled", upgrade.lock_id)]
        assert store.poll("ana", upgrade.id).state == "expired"

    def test_converting_does_not_stretch_the_longest_hold(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=30, max_hold_seconds=60)))
        store.clock.advance(25)
        turned = held(store.convert("ana", lease.lock_id, lease.token, "shared"))
        store.clock.advance(25)
        assert store.heartbeat("ana", turned.lock_id, turned.token).expires_at == lease.acquired_at + 60 * SECOND

    def test_a_transfer_leaves_nobody_in_between(self, store: LeaseStore) -> None:
        mine = held(store.acquire(ask("ana", "env:a", kind="lock", ttl_seconds=1800)))
        ticket = queued(store.acquire(wait("cai", "env:a")))
        store.events()
        theirs = store.transfer("ana", mine.lock_id, "bo", None)
        assert (theirs.principal, theirs.expires_at, theirs.token > mine.token) == ("bo", mine.expires_at, True)
        assert store.events() == [("lease:acquired", theirs.lock_id)]
        assert store.poll("cai", ticket.id).state == "waiting"
        with pytest.raises(Conflict, match="handed to somebody else"):
            store.release("ana", mine.lock_id, None)
        assert store.release("bo", theirs.lock_id, None).ended == "released"

    def test_only_its_holder_gives_a_lease_away_and_no_run_does(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        run = held(store.acquire(ask("ana", "env:b", rank_class=RUN, kind="run", approval=1)))
        with pytest.raises(NotFound):
            store.transfer("bo", lease.lock_id, "bo", lease.token)
        for lock, token, code in ((lease, None, "token_required"), (run, run.token, "not_transferable")):
            with pytest.raises(Invalid) as refused:
                store.transfer("ana", lock.lock_id, "bo", token)
            assert refused.value.code == code

    def test_a_lock_is_extended_from_its_end_and_a_lease_is_not(self, store: LeaseStore) -> None:
        lock = held(store.acquire(ask("ana", "env:a", kind="lock", ttl_seconds=1800)))
        lease = held(store.acquire(ask("ana", "env:b")))
        assert store.extend("ana", lock.lock_id, 600).expires_at == (lock.expires_at or 0) + 600 * SECOND
        with pytest.raises(Conflict) as too_long:
            store.extend("ana", lock.lock_id, 86_400)
        with pytest.raises(Invalid) as no_lock:
            store.extend("ana", lease.lock_id, 600)
        assert (too_long.value.code, no_lock.value.code) == ("too_long", "not_a_lock")
        assert store.events()[-1] == ("lease:renewed", lock.lock_id)

    # Ages, delays, queues and what to expect

    def test_a_request_that_waits_long_comes_before_a_later_one_of_higher_priority(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=3000)))
        old = queued(store.acquire(wait("bo", "env:a", ttl_seconds=3000)))
        store.clock.advance(61)
        store.tick()
        later = queued(store.acquire(wait("cai", "env:a", ttl_seconds=3000, rank_class=PLAIN - 1)))
        run = queued(store.acquire(wait("dee", "env:a", ttl_seconds=3000, rank_class=RUN)))
        assert (run.position, store.poll("bo", old.id).position, later.position) == (1, 2, 2)
        store.clock.advance(1)
        store.release("ana", lease.lock_id, lease.token)
        assert store.poll("dee", run.id).state == "granted"
        assert store.poll("cai", later.id).position == 2

    def test_what_lapsed_with_a_lock_delay_is_nobodys_until_that_is_over(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", ttl_seconds=10, lock_delay_seconds=20)))
        ticket = queued(store.acquire(wait("bo", "env:a")))
        store.clock.advance(10)
        assert store.tick() == store.clock.wall_us() + 20 * SECOND
        with pytest.raises(Conflict):
            store.heartbeat("ana", lease.lock_id, lease.token)
        assert store.poll("bo", ticket.id).state == "waiting"
        with pytest.raises(Conflict):
            store.acquire(ask("cai", "env:a"))
        store.clock.advance(20)
        store.tick()
        assert store.poll("bo", ticket.id).state == "granted"

    def test_a_released_lease_has_no_lock_delay(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a", lock_delay_seconds=60)))
        store.release("ana", lease.lock_id, lease.token)
        held(store.acquire(ask("bo", "env:a")))

    def test_a_queue_has_an_end_but_not_for_runs(self, store: LeaseStore) -> None:
        limits = LeaseLimits(queue=2)
        held(store.acquire(ask("ana", "env:a")))
        for who in ("bo", "cai"):
            queued(store.acquire(wait(who, "env:a"), limits))
        with pytest.raises(Conflict) as refused:
            store.acquire(wait("dee", "env:a"), limits)
        assert refused.value.code == "queue_full"
        queued(store.acquire(wait("dee", "env:a", rank_class=RUN, kind="run"), limits))

    def test_a_wait_is_estimated_from_what_others_held_while_somebody_waited(self, store: LeaseStore) -> None:
        lease = held(store.acquire(ask("ana", "env:a")))
        first = queued(store.acquire(wait("bo", "env:a")))
        assert first.expected_seconds is None
        store.clock.advance(20)
        store.release("ana", lease.lock_id, lease.token)
        assert queued(store.acquire(wait("cai", "env:a"))).expected_seconds == 20
        assert queued(store.acquire(wait("dee", "env:a"))).expected_seconds == 40
