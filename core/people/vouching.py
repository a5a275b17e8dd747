"""Sessions that rest on the OpenID provider's word last no longer than hub.yaml takes that word."""

from __future__ import annotations

from core.people import sessions
from core.people.directory import OIDC, Principal, subject_at
from core.people.linking import began_with
from core.people.sessions import Session
from core.store.tx import Tx
from core.world import World


def end_unvouched(tx: Tx, world: World, *, by: str) -> int:
    """No session rests on an account that is not its person's any more; how many ended.

    One that began by a verified address lasts while addresses count and nothing else says which account is theirs.
    """
    ended = 0
    for session in sessions.live(tx):
        person = world.people.find(session.principal)
        if session.began.startswith(f"{OIDC}:") and not (person is not None and _stands(session, person, world)):
            ended += sessions.end(tx, session.id, by=by, why="the provider's word for it does not count any more")
    return ended


def _stands(session: Session, person: Principal, world: World) -> bool:
    if world.provider is None:
        return False
    accounts = world.people.identities_of(person, OIDC)
    issuer = subject_at(world.provider.issuer, "")
    if session.began in {began_with(OIDC, each) for each in accounts if each.startswith(issuer)}:
        return True
    return world.provider.match_email and person.email is not None and not accounts
