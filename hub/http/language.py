"""`/v1/verbs` and `/v1/actions`: what may be said to this hub and asked of it, for screens that help to type it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from commands.helping import usage_of
from commands.permitting import allowed
from commands.verb import Verb
from core.apply.action import Action, Param
from core.approvals.proposal import visible
from hub.http.ask import Asked, answer
from hub.http.guard import Guarded
from hub.http.permissions import KNOWN, needs, right

router = APIRouter(prefix="/v1", route_class=Guarded, tags=["commands"])


@router.get("/verbs")
@needs(KNOWN)
async def list_verbs(ask: Asked) -> Response:
    """The verbs that you may type, with how."""
    found = [each for each in ask.hub.registry if not each.structured and allowed(ask.world, ask.principal, each)]
    return answer({"items": [_verb(each) for each in sorted(found, key=lambda each: each.name)], "next": None})


@router.get("/actions")
@needs(right("read"))
async def list_actions(ask: Asked) -> Response:
    """The actions that you may ask for, with their parameters."""
    found = [each for each in ask.world.actions.values() if visible(each, ask.principal)]
    return answer({"items": [_action(each) for each in found], "next": None})


def _verb(verb: Verb) -> dict[str, Any]:
    return {
        "name": verb.name,
        "usage": verb.usage,
        "summary": verb.summary,
        "clauses": sorted(verb.clauses),
        "because": verb.because is not None,
    }


def _action(action: Action) -> dict[str, Any]:
    return {
        "name": action.name,
        "title": action.title,
        "description": action.description,
        "usage": usage_of(action),
        "params": [_param(each) for each in action.params],
        "resources": list(action.resources),
    }


def _param(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "type": param.type,
        "description": param.description,
        "required": param.required,
        "secret": param.secret,
        "multiline": param.multiline,
        "enum": [str(each) for each in param.enum] if param.enum is not None else None,
        "default": None if param.default is None or param.secret else str(param.default),
        "pattern": param.pattern,
    }
