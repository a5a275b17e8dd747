"""Flows of leases: become the holder, stay it, stop being it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.client.clock import now
from hub.client.errors import Deadlock, InterlockError, LeaseLost, Refused, Unreachable, WaitOver
from hub.client.exchange import Flow, Send, insist, new_key, send
from hub.client.heart import renewal
from hub.client.lease import Lease, deadline_of

POLL_SECONDS = 20.0
_GRANT = "/v1/leases/acquire"

logger = logging.getLogger("interlock.client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What somebody wants to hold, and how long they wait for it."""

    resources: tuple[str, ...]
    wait: float = 0.0
    mode: str = "exclusive"
    ttl: float = 30.0
    max_hold: float | None = None
    priority: int = 0
    purpose: str | None = None
    holder: str | None = None
    session: str | None = None
    on_place: Callable[[Mapping[str, Any]], None] | None = None
    """Told the ticket each time the hub was asked for it: its `position`, and what is in the way."""

    def body(self, wait: float) -> dict[str, Any]:
        """The request as it is sent, with `wait` seconds left."""
        given: dict[str, Any] = {
            "resources": list(self.resources),
            "mode": self.mode,
            "ttl_seconds": self.ttl,
            "wait_seconds": round(max(0.0, wait), 3),
        }
        more = {
            "max_hold_seconds": self.max_hold,
            "priority": self.priority or None,
            "purpose": self.purpose,
            "holder": self.holder,
            "session": self.session,
        }
        return given | {name: value for name, value in more.items() if value is not None}


class Acquiring:
    """One wish on its way to a lease. What the hub knows of it is in `key` and `ticket`, so that it can be undone."""

    def __init__(self, want: Want, patience: float) -> None:
        self._want = want
        self._patience = patience
        self.request: Send | None = None
        """The acquire that was sent last; None before the first."""

    def run(self) -> Flow[Lease]:
        """The lease. Raises Held at once or WaitOver in time, Deadlock, Refused, Unreachable."""
        until = now() + self._want.wait
        while True:
            sent = now()
            body = self._want.body(until - sent if self._want.wait else 0.0)
            self.request = Send(method="POST", path=_GRANT, body=body, once=new_key())
            answer = yield from insist(self.request, self._patience)
            lease = answer.body
            if "token" not in lease:
                if self._want.on_place is not None:
                    self._want.on_place(lease)
                lease = yield from self._queue(str(lease["ticket"]), until)
                sent = now()
                held = yield from self._confirmed(lease, sent)
            else:
                # Granted after the first attempt under this key was sent, so what it grants counts from there.
                held = Lease(lease, deadline_of(lease, sent)) if lease.get("state", "held") == "held" else None
            if held is not None and held.why is None:
                return held
            if self._want.wait and now() >= until:
                raise WaitOver("wait_over", f"{', '.join(self._want.resources)}: granted and lapsed before we heard")

    def _confirmed(self, lease: Mapping[str, Any] | None, sent: float) -> Flow[Lease | None]:
        """The lease that a place in the queue came to, renewed now; None when it has lapsed again meanwhile.

        When it was granted is not known here, so only a renewal says how long it lasts.
        """
        if lease is None:
            return None
        try:
            answer = yield from insist(renewal(lease["lock_id"], lease["token"]), self._patience)
        except Refused as refused:
            if refused.code in ("lease_lost", "not_found"):
                return None
            raise
        return Lease(answer.body, deadline_of(answer.body, sent))

    def _queue(self, ticket: str, until: float) -> Flow[Mapping[str, Any] | None]:
        """The lease that the ticket came to; None when the place lapsed while we could not ask for it."""
        path = f"/v1/leases/tickets/{ticket}"
        while True:
            left = min(POLL_SECONDS, until - now())
            if left <= 0:
                return (yield from self._give_up(path))
            effect = Send(method="GET", path=path, query={"wait": round(left, 3)}, waits=left)
            state = (yield from insist(effect, self._patience)).body
            if self._want.on_place is not None:
                self._want.on_place(state)
            match state["state"]:
                case "granted":
                    lease: Mapping[str, Any] = state["lease"]
                    return lease if lease.get("state", "held") == "held" else None
                case "waiting":
                    continue
                case "refused":
                    cycle = {"cycle": state.get("cycle", ())}
                    words = str(state.get("detail") or f"{ticket} would wait for itself")
                    raise Deadlock(409, "deadlock", words, cycle)
                case "expired" if now() < until:
                    return None
                case ended:
                    raise WaitOver("wait_over", f"{', '.join(self._want.resources)}: {ticket} is {ended}")

    def _give_up(self, path: str) -> Flow[Mapping[str, Any] | None]:
        """Raises WaitOver; the lease, when it was granted at the last moment."""
        try:
            yield from insist(Send(method="DELETE", path=path), self._patience)
        except Refused as refused:
            if refused.code == "already_granted":
                state = (yield from insist(Send(method="GET", path=path), self._patience)).body
                lease: Mapping[str, Any] | None = state.get("lease")
                return lease
        raise WaitOver(
            "wait_over", f"{', '.join(self._want.resources)} did not become free within {self._want.wait:g} s"
        )

    def undo(self) -> Flow[None]:
        """Nothing of the wish is left at the hub, as far as it can be reached: neither lease nor place."""
        if self.request is None:
            return
        try:
            # The same request again, under its key, tells what became of it.
            found = (yield from send(self.request)).body
            if "token" in found:
                yield from send(giving_back(found["lock_id"], found["token"]))
            elif "ticket" in found:
                try:
                    yield from send(Send(method="DELETE", path=f"/v1/leases/tickets/{found['ticket']}"))
                except Refused as refused:
                    if refused.code != "already_granted":
                        raise
                    state = (yield from send(Send(method="GET", path=f"/v1/leases/tickets/{found['ticket']}"))).body
                    yield from send(giving_back(state["lease"]["lock_id"], state["lease"]["token"]))
        except InterlockError:
            return  # its ttl ends it


def giving_back(lock_id: str, token: int) -> Send:
    """A release; a repeated one answers as the first did."""
    return Send(method="POST", path=f"/v1/leases/{lock_id}/release", body={"token": token})


def release(held: Lease) -> Flow[None]:
    """The lease is given back, or ends by itself soon. Raises LeaseLost when it had ended before."""
    try:
        yield from insist(giving_back(held.lock_id, held.token), min(5.0, held.ttl_seconds))
    except Refused as refused:
        if refused.code == "lease_lost":
            raise LeaseLost("lease_lost", refused.message) from None
        raise
    except Unreachable as error:
        logger.warning("%s was not given back and ends by itself: %s", held.lock_id, error.message)
