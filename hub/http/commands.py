"""`POST /v1/commands` and `POST /v1/press`: a typed command, a pressed button. Called often, so without FastAPI."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from commands.grammar import parse
from core.errors import Invalid, Refusal
from core.people.directory import Kind
from hub.contracts import Inbound, Reply, Sender
from hub.http.ask import Ask, answer
from hub.http.guard import Hot
from hub.http.permissions import KNOWN, MEMBER, needs
from hub.http.problems import of_reply


def routes() -> list[BaseRoute]:
    """The routes of this file."""
    return [
        Hot(
            "/v1/commands",
            run_command,
            methods=["POST"],
            operation=_operation("Run one typed command; a refusal is an answer too.", text=True),
        ),
        Hot(
            "/v1/press",
            press_button,
            methods=["POST"],
            operation=_operation("Press the button with that token.", token=True, comment=False, confirm=False),
        ),
    ]


@needs(KNOWN)
async def run_command(ask: Ask) -> Response:
    """The reply of a typed command."""
    text = await _text(ask, "text")
    if ask.principal.kind is Kind.OPERATOR:
        reply = await _as_operator(ask, text)
    else:
        reply = await ask.hub.handle(_inbound(ask, text=text))
    return of_reply(reply, answered=True) or answer(reply.as_json())


async def _as_operator(ask: Ask, text: str) -> Reply:
    """The reply to somebody whom no channel's identities name."""
    try:
        verb, args = parse(text, ask.hub.registry, ask.world.actions)
    except Refusal as refusal:
        await ask.refuse(refusal)
        return Reply(ok=False, code=refusal.code, text=refusal.message, data=dict(refusal.data))
    try:
        return await ask.act(verb.name, args)
    except Refusal as refusal:
        return Reply(ok=False, code=refusal.code, text=refusal.message, data=dict(refusal.data))


@needs(MEMBER)
async def press_button(ask: Ask) -> Response:
    """The reply of a pressed button."""
    token = await _text(ask, "token")
    said = {name: await _text(ask, name) for name in ("comment", "confirm") if ask.body.get(name) is not None}
    reply = await ask.hub.handle(_inbound(ask, press=token, **said))
    return of_reply(reply, answered=False) or answer(reply.as_json())


def _inbound(ask: Ask, **said: Any) -> Inbound:
    once = ask.once()
    return Inbound(
        channel=ask.call.channel,
        sender=Sender(principal=ask.principal.id),
        assurance=ask.call.assurance,
        may_decide=ask.call.may_decide,
        evidence=ask.call.evidence,
        message_id=once.key if once is not None else None,
        body_hash=once.body_hash if once is not None else b"",
        **said,
    )


async def _text(ask: Ask, name: str) -> str:
    """That member of the body, as text."""
    value = ask.body.get(name) if isinstance(ask.body, dict) else None
    if not isinstance(value, str):
        raise await ask.refuse(Invalid("invalid_request", f"send JSON with `{name}` as text", field=name))
    return value


def _operation(summary: str, **members: bool) -> dict[str, Any]:
    """The operation in OpenAPI; `members` are the body's texts, True for a required one."""
    return {
        "summary": summary,
        "tags": ["commands"],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {name: {"type": "string"} for name in members},
                        "required": [name for name, required in members.items() if required],
                    }
                }
            },
        },
        "responses": {
            "200": {
                "description": "The reply.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Reply"}}},
            }
        },
    }
