"""`/v1/audit`: signed checkpoints of the log, proofs that an entry stands in it, and the key that signs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import bindparam, select
from starlette.responses import PlainTextResponse, Response

from core.audit.note import Checkpoint, Note
from core.audit.proof import Proof, prove
from core.audit.subtrees import Subtrees
from core.errors import NotFound
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from hub.checkpoints import latest
from hub.feed import read_after
from hub.http.ask import Ask, Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import needs, right
from hub.news import eyes_of, show_all

router = APIRouter(prefix="/v1/audit", route_class=Guarded, tags=["audit"])

_LOG = schema.log
_LEAVES = Statement(
    select(_LOG.c.leaf_hash)
    .where(_LOG.c.seq > bindparam("start"), _LOG.c.seq <= bindparam("stop"))
    .order_by(_LOG.c.seq)
)


_ENTRY = Statement(select(_LOG.c.entry).where(_LOG.c.seq == bindparam("seq")))


class Leaves:
    """The leaf hashes of the stored log, as one read sees them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def leaf_hashes(self, start: int, stop: int) -> Sequence[bytes]:
        """The hashes of leaves [start, stop), counted from 0."""
        return [bytes(row["leaf_hash"]) for row in self._reader.all(_LEAVES, start=start, stop=stop)]


@router.get("/checkpoint")
@needs(right("read"))
async def get_checkpoint(ask: Asked) -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint); the first one is made when it is asked for."""
    return PlainTextResponse(await ask.hub.db.read(latest) or await ask.hub.checkpoint())


@router.post("/checkpoint", status_code=201)
@needs(right("audit"))
async def make_checkpoint(ask: Asked) -> Response:
    """A checkpoint over everything committed so far."""

    async def sign() -> dict[str, str]:
        return {"note": await ask.hub.checkpoint()}

    return PlainTextResponse((await ask.kept(sign))["note"], 201)


@router.get("/key")
@needs(right("read"))
async def get_key(ask: Asked) -> Response:
    """The verifier key (C2SP signed-note) of the checkpoints."""
    return PlainTextResponse(ask.hub.checkpoint_key() + "\n")


@router.get("/proof/{seq}")
@needs(right("read"))
async def get_proof(ask: Asked, seq: Annotated[int, Path(ge=1, lt=2**63)]) -> Response:
    """A proof that entry `seq` stands in the log of a checkpoint; one that covers it is made when none does."""
    if seq > ask.hub.db.log.size:
        raise NotFound("not_found", f"the log has no entry {seq}", size=ask.hub.db.log.size)
    note = await checkpoint_over(ask, seq)
    return answer((await ask.hub.db.read(_prove, seq, note, subtrees_of(ask))).to_json())


@router.get("/entry/{seq}")
@needs(right("read"))
async def get_entry(ask: Asked, seq: Annotated[int, Path(ge=1, lt=2**63)]) -> Response:
    """The exact bytes of an entry, whose leaf hash a proof is about; private values stand in it as commitments."""
    entries = await ask.hub.db.read(read_after, seq - 1, 1)
    stored = await ask.hub.db.read(lambda reader: reader.one(_ENTRY, seq=seq))
    if not entries or stored is None:
        raise NotFound("not_found", f"the log has no entry {seq}", size=ask.hub.db.log.size)
    eyes = eyes_of(ask.world, ask.caller)
    shown = (await show_all(ask.hub.db, eyes, entries))[0]
    if entries[0].details and not shown.details:
        raise NotFound("not_found", f"you may not see what entry {seq} says")
    return Response(bytes(stored["entry"]), media_type="application/json")


async def checkpoint_over(ask: Ask, seq: int) -> str:
    """A checkpoint that covers entry `seq`, as a note; made when none does."""
    note = await ask.hub.db.read(latest)
    if note is None or Checkpoint.parse(Note.parse(note).text).size < seq:
        note = await ask.hub.checkpoint()
    return str(note)


def subtrees_of(ask: Ask) -> Subtrees:
    """Inner nodes of the log's tree that this process has computed."""
    subtrees: Subtrees = ask.request.app.state.subtrees
    return subtrees


def _prove(reader: Reader, seq: int, note: str, subtrees: Subtrees) -> Proof:
    return prove(seq, note, subtrees=subtrees, source=Leaves(reader))
