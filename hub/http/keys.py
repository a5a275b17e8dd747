"""`/v1/keys` and `/v1/login-links`: how people, agents and services get in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from core.clock import SECOND, rfc3339
from core.errors import Forbidden, Invalid, NotFound
from core.people import keys, links
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import Kind, Principal
from core.people.keys import Key
from hub.http.ask import Ask, Asked, answer
from hub.http.auth import CLI
from hub.http.guard import Guarded
from hub.http.paging import Cursor, Limit, page
from hub.http.permissions import needs, right

router = APIRouter(route_class=Guarded, tags=["keys"])


class NewKey(BaseModel):
    """Whose key, and whether it may decide."""

    model_config = ConfigDict(extra="forbid")
    principal: str = Field(max_length=64)
    decide: bool = True


class NewLink(BaseModel):
    """Whose sign-in link."""

    model_config = ConfigDict(extra="forbid")
    principal: str = Field(max_length=64)


@router.post("/v1/keys", status_code=201)
@needs(right("keys"))
async def create_key(ask: Asked, body: NewKey) -> Response:
    """A new key, shown this once. A person is told that it was made in their name."""
    principal = await _somebody(ask, body.principal)
    text = await ask.hub.db.write(
        lambda tx: keys.create(
            tx,
            by=ask.principal.id,
            principal=principal,
            decide=body.decide,
            channel=ask.call.channel,
            tell=ask.hub.tell,
        )
    )
    decide = body.decide and principal.kind is Kind.PERSON
    return answer({"key": text, "prefix": keys.prefix_of(text), "principal": principal.id, "decide": decide}, 201)


@router.get("/v1/keys")
@needs(right("keys"))
async def list_keys(ask: Asked, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Every key, without its text."""
    found = await ask.hub.db.read(lambda reader: keys.listing(reader, after=cursor or "", limit=limit + 1))
    return answer(page(found, limit, lambda key: key.prefix, _json))


@router.delete("/v1/keys/{prefix}")
@needs(right("keys"))
async def revoke_key(ask: Asked, prefix: str) -> Response:
    """End a key, and every session that began with it."""
    await ask.hub.db.write(
        lambda tx: keys.revoke(tx, by=ask.principal.id, prefix=prefix, channel=ask.call.channel), urgent=True
    )
    key = await ask.hub.db.read(keys.find, prefix.removeprefix(keys.START)[: keys.PREFIX_DIGITS])
    assert key is not None
    return answer(_json(key))


@router.post("/v1/login-links", status_code=201)
@needs(right("keys"))
async def create_login_link(ask: Asked, body: NewLink) -> Response:
    """A one-time sign-in link for a person, who is told of it."""
    principal = await _somebody(ask, body.principal)
    if principal.kind is not Kind.PERSON:
        raise await ask.refuse(Invalid("not_a_person", f"{principal.id} is no person; give them a key"))
    # Printed by the CLI it is as good as being at the machine; asked for otherwise it is no better than that.
    assurance = Assurance.SIGNED_IN if ask.call.channel == CLI else min(ask.call.assurance, Assurance.SIGNED_IN)
    token = await ask.hub.db.write(
        lambda tx: links.create(
            tx,
            by=ask.principal.id,
            principal=principal,
            assurance=assurance,
            began=ask.call.channel,
            channel=ask.call.channel,
            tell=ask.hub.tell,
        )
    )
    path = f"/login/{token}"
    base = ask.hub.public_url.rstrip("/") or str(ask.request.base_url).rstrip("/")
    expires = ask.hub.proofs.now_us() + int(links.TTL_SECONDS * SECOND)
    return answer(
        {
            "url": base + path,
            "path": path,
            "principal": principal.id,
            "assurance": assurance.word,
            "expires_at": rfc3339(expires),
        },
        201,
    )


async def _somebody(ask: Ask, name: str) -> Principal:
    """Whom something is made for. What it proves must not be more than who makes it proved: that takes `chat`."""
    try:
        demand_assurance(ask.call.assurance, Assurance.CHAT)
    except Forbidden as refusal:
        raise await ask.refuse(refusal) from None
    found = ask.world.people.find(name)
    if found is None:
        raise await ask.refuse(NotFound("unknown_principal", f"nobody in hub.yaml is called {name[:64]!r}"))
    return found


def _json(key: Key) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "principal": key.principal,
        "decide": key.decide,
        "created_at": rfc3339(key.created_at),
        "created_by": key.created_by,
        "used_at": rfc3339(key.used_at) if key.used_at is not None else None,
        "revoked_at": rfc3339(key.revoked_at) if key.revoked_at is not None else None,
    }
