"""`/v1/approvals`: ask, look, change, decide, wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from commands.requesting import own
from core import ids
from core.approvals.approval import Approval
from core.approvals.listing import Order, listing
from core.approvals.states import ENDED, State
from core.approvals.view import etag, view_of
from core.approvals.whom import who
from core.deep_link import deep_link
from core.errors import Invalid, Stale
from core.store.rows import Reader
from hub.contracts import Reply
from hub.http.ask import Ask, Asked, answer
from hub.http.guard import Guarded
from hub.http.paging import Cursor, Limit, page
from hub.http.permissions import needs, right, verb
from hub.http.waiting import wait_for

router = APIRouter(prefix="/v1/approvals", route_class=Guarded, tags=["approvals"])


class Body(BaseModel):
    """What every body does: refuse what it does not know."""

    model_config = ConfigDict(extra="forbid")


class NewApproval(Body):
    """What to do and why."""

    action: str = Field(max_length=64)
    params: dict[str, Any] = Field(default_factory=dict)
    reason: str | None = None
    draft: bool = False
    break_glass: bool = Field(default=False, description="Run it at once, with nobody asked; it needs a reason.")


class Change(Body):
    """What is different from now on; parameters are merged."""

    params: dict[str, Any] = Field(default_factory=dict)
    reason: str | None = None


class Word(Body):
    """What comes with an operation on one approval."""

    digest: str | None = None
    confirm: str | None = Field(default=None, max_length=64, description="Its id, typed, where the policy asks for it.")
    comment: str | None = None
    reason: str | None = None
    outcome: Literal["completed", "failed"] | None = None


class Review(Body):
    """Whether what ran by break-glass was right, and why."""

    verdict: Literal["ok", "objected"]
    comment: str | None = Field(default=None, max_length=4096)


def approval_of(reply: Reply, status: int = 200) -> Response:
    """The Approval of a reply, with its entity tag."""
    assert reply.approval is not None
    return answer(reply.approval, status, {"etag": _etag_of(reply.approval)})


def _etag_of(view: Any) -> str:
    return f'"{ids.parse("A", view["id"])}-{view["version"]}"'


async def _look(ask: Ask, name: str) -> tuple[Approval, dict[str, Any]]:
    """The approval as it is and as JSON. Raises NotFound also for one that the caller may not see."""

    def read(reader: Reader) -> tuple[Approval, dict[str, Any]]:
        approval = own(reader, ask.call, name)
        return approval, view_of(reader, ask.world, approval)

    return await ask.hub.db.read(read)


@router.post("", status_code=201)
@needs(verb("request"))
async def create_approval(ask: Asked, body: NewApproval) -> Response:
    """Ask for an action; the answer shows the state reached so far, and as `url` where people find it."""
    if body.break_glass and body.draft:
        raise await ask.refuse(Invalid("usage", "what runs at once is no draft: send draft or break_glass"))
    if body.break_glass:
        reply = await ask.act("break-glass", body.model_dump(exclude={"draft", "break_glass"}))
    else:
        reply = await ask.act("request", body.model_dump(exclude={"break_glass"}))
    assert reply.approval is not None
    url = deep_link(ask.hub.public_url, reply.approval["id"])
    response = approval_of(replace(reply, approval={**reply.approval, "url": url}), 201)
    response.headers["location"] = f"/v1/approvals/{reply.approval['id']}"
    return response


@router.get("")
@needs(right("read"))
async def list_approvals(
    ask: Asked,
    state: Annotated[str | None, Query(max_length=32, description="One state, or `open`, `ended`, `all`.")] = None,
    mine: Annotated[bool, Query(description="Only those that I asked for, or that wait for me.")] = False,
    requester: Annotated[str | None, Query(max_length=64, description="Only those of this principal.")] = None,
    action: Annotated[str | None, Query(max_length=64, description="Only those for this action.")] = None,
    order: Annotated[Order, Query(description="What comes first.")] = "newest",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Approvals that you may see, page by page."""
    if state is not None and state.lower() not in _STATES:
        raise Invalid("bad_state", f"{state!r} is no state; use one of {', '.join(sorted(_STATES))}")
    past = ids.parse("A", cursor) if cursor is not None else None

    def read(reader: Reader) -> dict[str, Any]:
        found = listing(
            reader,
            ask.world,
            viewer=ask.principal,
            state=state,
            mine=mine,
            requester=requester,
            action=action,
            order=order,
            past=past,
            limit=limit + 1,
        )
        return page(found, limit, lambda each: each.name, lambda each: view_of(reader, ask.world, each))

    return answer(await ask.hub.db.read(read))


_STATES = frozenset({"open", "ended", "all"}) | {each.lower() for each in State}


@router.get("/{id}")
@needs(right("read"))
async def get_approval(
    ask: Asked, id: str, if_none_match: Annotated[str | None, Header(max_length=256)] = None
) -> Response:
    """One approval; 304 for one that has not changed since the given entity tag, unless it runs here and goes on."""
    approval, shown = await _look(ask, id)
    tag = etag(approval)
    running = _running(ask, approval, shown)
    if running is not None:
        return answer(running, headers={"etag": tag})
    if if_none_match is not None and _matches(if_none_match, tag):
        return Response(status_code=304, headers={"etag": tag})
    return answer(shown, headers={"etag": tag})


def _running(ask: Ask, approval: Approval, shown: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON with the end of what its run has said so far, while it goes on in this process; None when none does."""
    name, number = ("rollback_run", approval.rollback_run) if approval.rollback_run else ("run", approval.run)
    said = ask.hub.output_so_far(number) if number is not None else None
    return None if said is None else {**shown, name: {**shown[name], "output_tail": said}}


@router.patch("/{id}")
@needs(verb("edit"))
async def edit_approval(
    ask: Asked, id: str, body: Change, if_match: Annotated[str | None, Header(max_length=256)] = None
) -> Response:
    """Make a new revision of what you asked for; earlier decisions no longer count."""
    if if_match is None:
        raise await ask.refuse(Invalid("if_match_required", "send If-Match with the entity tag of what you looked at"))
    approval, shown = await _look(ask, id)
    if if_match.strip() != "*" and not _matches(if_match, etag(approval)):
        refusal = Stale("version_stale", f"{approval.name} has changed since you read it", approval=shown)
        raise await ask.refuse(refusal)
    args = {"id": id, "version": approval.version, **body.model_dump(exclude_none=True)}
    return approval_of(await ask.act("edit", args))


@router.get("/{id}/who")
@needs(right("read"))
async def who_could(ask: Asked, id: str) -> Response:
    """What is missing, who could give it, who cannot and why."""
    return answer(await ask.hub.db.read(lambda reader: who(reader, ask.world, own(reader, ask.call, id).id)))


@router.get("/{id}/wait")
@needs(right("read"))
async def wait_approval(
    ask: Asked,
    id: str,
    after: Annotated[str | None, Query(max_length=64, description="The entity tag that you have.")] = None,
    until: Literal["change", "final"] = "change",
    timeout: Annotated[float, Query(ge=0, description="Seconds; at most 60 are granted.")] = 30.0,
) -> Response:
    """The approval once it changed or ended, or as it is when the time is over."""
    approval, _ = await _look(ask, id)
    known = _bare(after) if after is not None else _bare(etag(approval))

    async def look() -> tuple[bool, Response]:
        now, shown = await _look(ask, id)
        done = now.state in ENDED if until == "final" else _bare(etag(now)) != known
        return done, answer(shown, headers={"etag": etag(now)})

    return await wait_for(ask, look, subjects=(approval.name,), timeout=timeout)


def _bare(tag: str) -> str:
    """An entity tag without its quotes, which do not survive every query string."""
    return tag.strip().removeprefix("W/").strip('"')


@router.post("/{id}/approve")
@needs(verb("approve"))
async def approve(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Agree to the revision with that digest."""
    return await _decide(ask, "approve", id, body)


@router.post("/{id}/reject")
@needs(verb("reject"))
async def reject(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Refuse the revision with that digest."""
    return await _decide(ask, "reject", id, body)


@router.post("/{id}/request-changes")
@needs(verb("request-changes"))
async def request_changes(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Send the revision with that digest back to who asked."""
    return await _decide(ask, "request-changes", id, body)


async def _decide(ask: Ask, verdict: str, name: str, body: Word | None) -> Response:
    word = body or Word()
    await _look(ask, name)
    await _demand_digest(ask, word.digest)
    args = {"ids": [name], "digest": word.digest, "confirm": word.confirm, "comment": word.comment or word.reason}
    try:
        return approval_of(await ask.act(verdict, args))
    except Stale as stale:
        if stale.code != "digest_stale":
            raise
        _, shown = await _look(ask, name)
        raise Stale(stale.code, stale.message, **{**stale.data, "approval": shown}) from None


async def _demand_digest(ask: Ask, digest: str | None) -> None:
    """Nothing, when there is one: over HTTP nobody decides on what they merely may have seen elsewhere."""
    if not digest:
        raise await ask.refuse(
            Invalid("digest_required", "say which revision you decide on: send the digest that the approval shows")
        )


@router.post("/{id}/submit")
@needs(verb("submit"))
async def submit(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Hand in a draft."""
    return approval_of(await ask.act("submit", {"ids": [id]}))


@router.post("/{id}/withdraw")
@needs(verb("withdraw"))
async def withdraw(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Take a request back."""
    return approval_of(await ask.act("withdraw", {"ids": [id], "reason": _reason(body)}))


@router.post("/{id}/comment")
@needs(verb("comment"))
async def comment(ask: Asked, id: str, body: Word) -> Response:
    """Say something about a request."""
    return approval_of(await ask.act("comment", {"ids": [id], "comment": body.comment or body.reason or ""}))


@router.post("/{id}/apply")
@needs(verb("apply"))
async def apply(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Start an approved request whose action waits for this."""
    return approval_of(await ask.act("apply", {"ids": [id], "reason": _reason(body)}))


@router.post("/{id}/override")
@needs(verb("override"))
async def override(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Let it go on although what it needs is frozen."""
    return approval_of(await ask.act("override", {"id": id, "reason": _reason(body) or ""}))


@router.post("/{id}/rollback")
@needs(verb("rollback"))
async def rollback(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Run the action's rollback."""
    return approval_of(await ask.act("rollback", {"ids": [id], "reason": _reason(body)}))


@router.post("/{id}/review")
@needs(verb("review"))
async def review(ask: Asked, id: str, body: Review) -> Response:
    """Say whether what ran by break-glass was right."""
    return approval_of(await ask.act("review", {"id": id, **body.model_dump()}))


@router.post("/{id}/resolve")
@needs(verb("resolve"))
async def resolve(ask: Asked, id: str, body: Word) -> Response:
    """Say how a run ended that nobody saw end."""
    args = {"id": id, "outcome": body.outcome, "reason": _reason(body) or ""}
    return approval_of(await ask.act("resolve", args))


@router.post("/{id}/retry", status_code=201)
@needs(verb("retry"))
async def retry(ask: Asked, id: str, body: Word | None = None) -> Response:
    """Ask again for what failed or never ran: a new approval, decided afresh."""
    return approval_of(await ask.act("retry", {"ids": [id], "reason": _reason(body)}), 201)


def _reason(body: Word | None) -> str | None:
    return (body.reason or body.comment) if body is not None else None


def _matches(header: str, tag: str) -> bool:
    """Whether an entity tag header names `tag`; for these strong tags a weak one names it too."""
    return any(each.strip() in ("*", tag, f"W/{tag}") for each in header.split(","))
