"""Who may use a verb; what it names may still be refused."""

from __future__ import annotations

from commands.verb import Call, Permission, Verb
from core.errors import Forbidden
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import Kind, Principal
from core.world import World


def allowed(world: World, principal: Principal, verb: Verb) -> bool:
    """Whether `principal` may use the verb at all; what it names may still be refused."""
    if verb.people_only and principal.kind in (Kind.AGENT, Kind.SERVICE):
        return False
    match verb.permission:
        case Permission.KNOWN | Permission.CHECKED:
            return True
        case Permission.DECIDE:
            return principal.kind is Kind.PERSON
        case right:
            return world.rights.has(principal, right.value)


def demand_may(call: Call, verb: Verb) -> None:
    """Nothing, when the caller has the verb's permission. Raises Forbidden."""
    principal = call.principal
    if verb.people_only or verb.permission is Permission.DECIDE:
        _demand_person(call, verb)
    if not allowed(call.world, principal, verb):
        raise Forbidden(
            "not_allowed", f"{principal.id} may not {verb.name}; it needs the right {verb.permission.value}"
        )


def _demand_person(call: Call, verb: Verb) -> None:
    """Nothing for a person who comes with a proof that decides; the operator passes on to what their rights say."""
    kind = call.principal.kind
    if kind is Kind.OPERATOR and verb.permission is not Permission.DECIDE:
        return
    if kind is not Kind.PERSON:
        raise Forbidden("not_a_person", "agents and services ask; only people decide")
    if not call.may_decide:
        raise Forbidden("key_may_not_decide", "this key was made without the right to decide")
    if verb.people_only:
        demand_assurance(call.assurance, Assurance.CHAT)
