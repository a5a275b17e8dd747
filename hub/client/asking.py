"""Flows of requests: ask, look, wait, take back, say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.client.approval import Approval, Reply
from hub.client.clock import now
from hub.client.errors import Changed, InterlockError, TimedOut
from hub.client.exchange import Flow, Send, insist, new_key, send

POLL_SECONDS = 25.0
"""How long one question may wait for its answer; then it is asked again."""


@dataclass(slots=True)
class Asked:
    """What is known of a request on its way, so that it can be taken back."""

    request: Send | None = None
    approval: Approval | None = None


def ask(
    action: str, params: Mapping[str, Any], reason: str | None, *, draft: bool, once: str | None, patience: float
) -> Flow[Approval]:
    """The new request. Sent again after a lost connection, it is still one request."""
    answer = yield from insist(_request(action, params, reason, draft=draft, once=once), patience)
    return Approval.of(answer.body)


def _request(action: str, params: Mapping[str, Any], reason: str | None, *, draft: bool, once: str | None) -> Send:
    body: dict[str, Any] = {"action": action, "params": dict(params), "reason": reason}
    if draft:
        body["draft"] = True
    return Send(method="POST", path="/v1/approvals", body=body, once=once or new_key())


def look(number: str, *, patience: float) -> Flow[Approval]:
    """The request as it is now."""
    answer = yield from insist(Send(method="GET", path=f"/v1/approvals/{number}"), patience)
    return Approval.of(answer.body)


def settle(approval: Approval | str, *, timeout: float | None, patience: float) -> Flow[Approval]:
    """The request once nothing more happens to it by itself. Raises TimedOut with it as it is then."""
    until = None if timeout is None else now() + timeout
    if isinstance(approval, str):
        approval = yield from look(approval, patience=patience)
    while not approval.settled:
        left = POLL_SECONDS if until is None else min(POLL_SECONDS, until - now())
        if left <= 0:
            assert timeout is not None
            raise TimedOut(approval, timeout)
        query: dict[str, str | float] = {"after": approval.tag, "until": "change", "timeout": round(left, 3)}
        path = f"/v1/approvals/{approval.id}/wait"
        answer = yield from insist(Send(method="GET", path=path, query=query, waits=left), patience)
        approval = Approval.of(answer.body)
    return approval


def decide(
    verdict: str, approval: Approval, comment: str | None, *, patience: float, confirm: str | None = None
) -> Flow[Approval]:
    """The request after the caller's word on the revision that `approval` shows; on another one it is refused."""
    body = {"digest": approval.digest, "comment": comment, **({} if confirm is None else {"confirm": confirm})}
    path = f"/v1/approvals/{approval.id}/{verdict}"
    answer = yield from insist(Send(method="POST", path=path, body=body, once=new_key()), patience)
    return Approval.of(answer.body)


def withdraw(number: str, reason: str | None, *, patience: float) -> Flow[Approval]:
    """The request as it was taken back."""
    effect = Send(method="POST", path=f"/v1/approvals/{number}/withdraw", body={"reason": reason}, once=new_key())
    answer = yield from insist(effect, patience)
    return Approval.of(answer.body)


def take_back(asked: Asked) -> Flow[None]:
    """Nothing of the request goes on, as far as the hub can be reached; what has ended stays as it is."""
    try:
        if asked.request is None:
            return
        if asked.approval is None:  # sent, and the answer was lost: the same again, under its key, tells its number
            asked.approval = Approval.of((yield from send(asked.request)).body)
        path = f"/v1/approvals/{asked.approval.id}/withdraw"
        yield from send(Send(method="POST", path=path, body={"reason": "who asked waits no longer"}))
    except InterlockError:
        return


def say(text: str, *, once: str | None, patience: float) -> Flow[Reply]:
    """The reply to a typed command, refused or not."""
    effect = Send(method="POST", path="/v1/commands", body={"text": text}, once=once or new_key())
    answer = yield from insist(effect, patience)
    return Reply.of(answer.body)


def carried_out(
    action: str, params: Mapping[str, Any], reason: str | None, *, timeout: float | None, asked: Asked, patience: float
) -> Flow[Approval]:
    """The completed request, for exactly what was asked. Raises NotCompleted, TimedOut."""
    asked.request = _request(action, params, reason, draft=False, once=None)
    first = asked.approval = Approval.of((yield from insist(asked.request, patience)).body)
    done = yield from settle(first, timeout=timeout, patience=patience)
    done.demand_completed()
    if done.params != first.params:
        raise Changed("changed", f"{done.id} was approved for other parameters than were asked for", done)
    return done


def leases(*, patience: float) -> Flow[list[Mapping[str, Any]]]:
    """Every lease in force."""
    found: list[Mapping[str, Any]] = []
    query: dict[str, str | float] = {"limit": 200}
    while True:
        answer = yield from insist(Send(method="GET", path="/v1/leases", query=query), patience)
        found += answer.body["items"]
        if answer.body.get("next") is None:
            return found
        query = {**query, "cursor": str(answer.body["next"])}
