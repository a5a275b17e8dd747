"""The client that blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from hub.client import asking
from hub.client.acquiring import Acquiring, Want, release
from hub.client.address import address_of
from hub.client.approval import Approval, Reply
from hub.client.errors import NotCompleted, Refused, WaitOver
from hub.client.exchange import drive
from hub.client.gate import Gate, sync_gate
from hub.client.heart import Heart
from hub.client.holder import Holders
from hub.client.lease import Lease
from hub.client.leasing import Leasing

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE_SECONDS = 60.0
"""How long a hub that does not answer is asked again, before that is an error."""


class Client:
    """One hub as one principal. Close it, or use it as a context. Safe to use from several threads."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        socket: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """`url` and `key` are those of INTERLOCK_URL and INTERLOCK_KEY where they are not given."""
        address = address_of(url, key, socket)
        self._patience = patience
        self._http = address.connect()
        self._heart = Heart(address)
        self._holders = Holders()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """No thread and no connection is left. Leases still held are no longer renewed."""
        self._heart.close()
        self._http.close()

    def ask(
        self,
        action: str,
        params: Mapping[str, Any] | None = None,
        *,
        reason: str | None = None,
        draft: bool = False,
        once: str | None = None,
    ) -> Approval:
        """A new request, as it is right after it was made. Raises Refused.

        `once` names it: the same call with the same name, also of another process, is the same request.
        """
        flow = asking.ask(action, params or {}, reason, draft=draft, once=once, patience=self._patience)
        return drive(flow, self._http)

    def show(self, number: str) -> Approval:
        """The request as it is now."""
        return drive(asking.look(number, patience=self._patience), self._http)

    def wait(self, approval: Approval | str, timeout: float | None = None) -> Approval:
        """The request once nothing more happens to it by itself, restarts of the hub included. Raises TimedOut."""
        return drive(asking.settle(approval, timeout=timeout, patience=self._patience), self._http)

    def approve(self, approval: Approval, comment: str | None = None, *, confirm: str | None = None) -> Approval:
        """The request after your yes to the revision that `approval` shows. For keys of people.

        `confirm` is its id as somebody typed it, where the policy asks for that.
        """
        return drive(asking.decide("approve", approval, comment, patience=self._patience, confirm=confirm), self._http)

    def reject(self, approval: Approval, comment: str | None = None) -> Approval:
        """The request after your no."""
        return drive(asking.decide("reject", approval, comment, patience=self._patience), self._http)

    def withdraw(self, number: str, reason: str | None = None) -> Approval:
        """The request, taken back."""
        return drive(asking.withdraw(number, reason, patience=self._patience), self._http)

    def say(self, text: str, *, once: str | None = None) -> Reply:
        """The reply to a command as people type it; a refusal is a reply with `ok` False."""
        return drive(asking.say(text, once=once, patience=self._patience), self._http)

    def leases(self) -> list[Mapping[str, Any]]:
        """Every lease in force, as the HTTP API shows it."""
        return drive(asking.leases(patience=self._patience), self._http)

    def lease(
        self,
        *resources: str,
        wait: float = 0.0,
        ttl: float = 30.0,
        shared: bool = False,
        purpose: str | None = None,
        max_hold: float | None = None,
        priority: int = 0,
        on_place: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> Leasing:
        """A context that holds all of `resources` from its beginning to its end.

        Entering raises Held when somebody has them and `wait` is 0, WaitOver when they did not become free in so many
        seconds, Deadlock. Leaving raises LeaseLost when the lease ended before the body did.
        """
        want = Want(
            resources=resources,
            wait=wait,
            ttl=ttl,
            mode="shared" if shared else "exclusive",
            purpose=purpose,
            max_hold=max_hold,
            priority=priority,
            holder=self._holders.of_thread(),
            session=self._heart.session,
            on_place=on_place,
        )
        return Leasing(lambda: self._acquire(want), self.release)

    def release(self, lease: Lease) -> None:
        """The lease is given back, or ends by itself soon. Raises LeaseLost when it had ended before."""
        lease.finish()
        if lease.why is not None:
            raise lease.error()
        drive(release(lease), self._http)

    def gate(
        self,
        action: str,
        *,
        reason: str | None = None,
        timeout: float | None = None,
        params: Callable[..., Mapping[str, Any]] | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """A decorator: each call asks for `action`, and the function runs once that has completed. See `gate`."""
        return sync_gate(
            Gate(action=action, reason=reason, timeout=timeout, params=params),
            lambda params, reason: self.carry_out(action, params, reason=reason, timeout=timeout),
        )

    def carry_out(
        self, action: str, params: Mapping[str, Any], *, reason: str | None = None, timeout: float | None = None
    ) -> Approval:
        """The completed request for exactly these parameters. Raises NotCompleted; TimedOut after it was taken back."""
        asked = asking.Asked()
        flow = asking.carried_out(action, params, reason, timeout=timeout, asked=asked, patience=self._patience)
        try:
            return drive(flow, self._http)
        except (NotCompleted, Refused):
            raise
        except BaseException:
            drive(asking.take_back(asked), self._http)
            raise

    def _acquire(self, want: Want) -> Lease:
        acquiring = Acquiring(want, self._patience)
        try:
            lease = drive(acquiring.run(), self._http)
        except (Refused, WaitOver):
            raise
        except BaseException:
            drive(acquiring.undo(), self._http)
            raise
        self._heart.keep(lease)
        return lease
