"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from hub.client import asking
from hub.client.acquiring import Acquiring, Want, release
from hub.client.address import address_of
from hub.client.aleasing import AsyncLeasing
from hub.client.approval import Approval, Reply
from hub.client.client import PATIENCE_SECONDS
from hub.client.errors import NotCompleted, Refused, WaitOver
from hub.client.exchange import Flow, adrive
from hub.client.gate import Gate, async_gate
from hub.client.heart import Heart
from hub.client.holder import Holders
from hub.client.lease import Lease

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class AsyncClient:
    """One hub as one principal, within one event loop. Close it, or use it as a context."""

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
        self._http = address.aconnect()
        self._heart = Heart(address)
        self._holders = Holders()
        self._tidying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """No task, thread and connection is left. Leases still held are no longer renewed."""
        await asyncio.gather(*self._tidying, return_exceptions=True)
        await asyncio.to_thread(self._heart.close)
        await self._http.aclose()

    async def ask(
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
        return await self._do(flow)

    async def show(self, number: str) -> Approval:
        """The request as it is now."""
        return await self._do(asking.look(number, patience=self._patience))

    async def wait(self, approval: Approval | str, timeout: float | None = None) -> Approval:
        """The request once nothing more happens to it by itself, restarts of the hub included. Raises TimedOut."""
        return await self._do(asking.settle(approval, timeout=timeout, patience=self._patience))

    async def approve(self, approval: Approval, comment: str | None = None, *, confirm: str | None = None) -> Approval:
        """The request after your yes to the revision that `approval` shows. For keys of people.

        `confirm` is its id as somebody typed it, where the policy asks for that.
        """
        return await self._do(asking.decide("approve", approval, comment, patience=self._patience, confirm=confirm))

    async def reject(self, approval: Approval, comment: str | None = None) -> Approval:
        """The request after your no."""
        return await self._do(asking.decide("reject", approval, comment, patience=self._patience))

    async def withdraw(self, number: str, reason: str | None = None) -> Approval:
        """The request, taken back."""
        return await self._do(asking.withdraw(number, reason, patience=self._patience))

    async def say(self, text: str, *, once: str | None = None) -> Reply:
        """The reply to a command as people type it; a refusal is a reply with `ok` False."""
        return await self._do(asking.say(text, once=once, patience=self._patience))

    async def leases(self) -> list[Mapping[str, Any]]:
        """Every lease in force, as the HTTP API shows it."""
        return await self._do(asking.leases(patience=self._patience))

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
        cancel: bool = True,
    ) -> AsyncLeasing:
        """A context that holds all of `resources` from its beginning to its end.

        Entering raises Held when somebody has them and `wait` is 0, WaitOver when they did not become free in so many
        seconds, Deadlock. When the lease is lost the body is cancelled, unless `cancel` is False, and leaving raises
        LeaseLost.
        """

        def want() -> Want:
            return Want(
                resources=resources,
                wait=wait,
                ttl=ttl,
                mode="shared" if shared else "exclusive",
                purpose=purpose,
                max_hold=max_hold,
                priority=priority,
                holder=self._holders.of_task(),
                session=self._heart.session,
                on_place=on_place,
            )

        return AsyncLeasing(lambda: self._acquire(want()), self._release, cancel=cancel)

    def gate(
        self,
        action: str,
        *,
        reason: str | None = None,
        timeout: float | None = None,
        params: Callable[..., Mapping[str, Any]] | None = None,
    ) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
        """A decorator: each call asks for `action`, and the function runs once that has completed. See `gate`."""
        return async_gate(
            Gate(action=action, reason=reason, timeout=timeout, params=params),
            lambda params, reason: self.carry_out(action, params, reason=reason, timeout=timeout),
        )

    async def carry_out(
        self, action: str, params: Mapping[str, Any], *, reason: str | None = None, timeout: float | None = None
    ) -> Approval:
        """The completed request for exactly these parameters. Raises NotCompleted; TimedOut after it was taken back."""
        asked = asking.Asked()
        flow = asking.carried_out(action, params, reason, timeout=timeout, asked=asked, patience=self._patience)
        try:
            return await self._do(flow)
        except (NotCompleted, Refused):
            raise
        except BaseException:
            await self._tidy(asking.take_back(asked))
            raise

    async def _acquire(self, want: Want) -> Lease:
        acquiring = Acquiring(want, self._patience)
        try:
            lease = await self._do(acquiring.run())
        except (Refused, WaitOver):
            raise
        except BaseException:
            await self._tidy(acquiring.undo())
            raise
        self._heart.keep(lease)
        return lease

    async def _release(self, lease: Lease) -> None:
        """The lease is given back, or ends by itself soon. Raises LeaseLost when it had ended before."""
        lease.finish()
        if lease.why is not None:
            raise lease.error()
        await self._tidy(release(lease))

    async def _do(self, flow: Flow[T]) -> T:
        return await adrive(flow, self._http)

    async def _tidy(self, flow: Flow[None]) -> None:
        """The flow was carried out, or goes on by itself when this task is cancelled meanwhile."""
        task = asyncio.create_task(self._do(flow))
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)
        await asyncio.shield(task)
