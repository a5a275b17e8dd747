"""Heartbeats and deadlines of every lease of one client, each on a thread of its own.

On threads also for asynchronous programs: work that blocks the event loop must not cost it the lease. A second
thread watches the deadlines, so that a heartbeat that gets no answer delays nobody's.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import httpx

from hub.client.address import Address
from hub.client.clock import now
from hub.client.errors import Refused, Unreachable
from hub.client.exchange import AGAIN, Flow, Send, drive, send
from hub.client.lease import Lease
from hub.client.rounds import Rounds

BATCH = 200
"""How many leases one request renews at most."""


class Heart:
    """Keeps leases alive until they are over."""

    def __init__(self, address: Address) -> None:
        self.session = secrets.token_hex(8)
        """The name under which leases of this client are renewed together."""
        self._address = address
        self._http: httpx.Client | None = None
        self._beats = Rounds("interlock-heartbeats", self._beat, due=_next_beat, soon=_may_beat)
        self._alarms = Rounds("interlock-deadlines", _judge, due=_deadline, soon=_deadline)

    def keep(self, lease: Lease) -> None:
        """The lease is renewed a third of its ttl after the last time, and lost at its deadline."""
        self._alarms.add(lease)
        self._beats.add(lease)

    def close(self) -> None:
        """The threads have ended, and nothing is renewed any more."""
        self._alarms.stop(1.0)
        if self._beats.stop(1.0) and self._http is not None:
            self._http.close()
            self._http = None

    def _beat(self, due: list[Lease]) -> None:
        for lease in due:
            lease.put_off(lease.ttl_seconds / 3)
        if self._http is None:
            self._http = self._address.connect()
        for first in range(0, len(due), BATCH):
            some = due[first : first + BATCH]
            drive(_renew_one(some[0]) if len(some) == 1 else _renew_all(some, self.session), self._http)


def _next_beat(lease: Lease) -> float:
    return lease.next_beat


def _may_beat(lease: Lease) -> float:
    """Half its interval early: leases that are renewed along with others stay together with them."""
    return lease.next_beat - lease.ttl_seconds / 6


def _deadline(lease: Lease) -> float:
    return lease.deadline


def _judge(due: list[Lease]) -> None:
    for lease in due:
        lease.judge()


def renewal(lock_id: str, token: int) -> Send:
    """One heartbeat."""
    return Send(method="POST", path=f"/v1/leases/{lock_id}/heartbeat", body={"token": token})


def _renew_one(lease: Lease) -> Flow[None]:
    sent = now()
    try:
        answer = yield from send(_within(renewal(lease.lock_id, lease.token), [lease]))
    except (Refused, Unreachable) as error:
        _take(error, [lease])
    else:
        lease.renewed(answer.body, sent)


def _renew_all(leases: Sequence[Lease], session: str) -> Flow[None]:
    """Each of the leases is renewed, or lost when the hub knows it no more."""
    sent = now()
    pairs = [{"lock_id": lease.lock_id, "token": lease.token} for lease in leases]
    effect = Send(method="POST", path="/v1/leases/heartbeat", body={"session": session, "leases": pairs})
    try:
        answer = yield from send(_within(effect, leases))
    except (Refused, Unreachable) as error:
        _take(error, leases)
        return
    renewed = {each["lock_id"]: each for each in answer.body["items"]}
    for lease in leases:
        if lease.lock_id in renewed:
            lease.renewed(renewed[lease.lock_id], sent)
        else:
            lease.lose("the hub knows it no more: it was broken, or ended")


def _within(effect: Send, leases: Sequence[Lease]) -> Send:
    """The request, given up in time for another attempt before the shortest lease ends."""
    return effect.within(min(lease.ttl_seconds for lease in leases) / 3)


def _take(error: Refused | Unreachable, leases: Sequence[Lease]) -> None:
    """The leases are lost when the hub said no; otherwise it is asked again soon, until their deadline."""
    again = isinstance(error, Unreachable) or error.status in AGAIN or error.status >= 500
    for lease in leases:
        if again:
            lease.put_off(min(1.0, lease.ttl_seconds / 10))
        else:
            lease.lose(error.message)
