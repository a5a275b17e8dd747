"""Who is calling: the control socket's peer, a key or token in the Authorization header, or the session cookie."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from commands.verb import Call
from core.errors import Unproven
from core.people.directory import OPERATOR, Kind
from hub.contracts import Caller
from hub.http.hub import Hub
from hub.http.origin import demand_same_site
from hub.http.peer import Peer, caller_at

HTTP, PAGE, CLI = "http", "page", "cli"
"""The channels that callers come by: a credential in a header, a browser's cookie, the control socket."""


async def identify(connection: HTTPConnection, hub: Hub, method: str) -> tuple[Caller, str]:
    """The caller and the channel. Raises Unproven, or Forbidden for a request that another site's page made."""
    peer = connection.scope.get("state", {}).get("peer")
    if isinstance(peer, Peer):
        return await caller_at(peer, world=hub.world, data=hub.data), CLI
    caller = await hub.proofs.prove(connection.headers)
    if "authorization" in connection.headers:
        return caller, HTTP
    demand_same_site(method, connection.headers, hub.public_url)
    return caller, PAGE


def call_of(caller: Caller, channel: str, hub: Hub) -> Call:
    """The caller as the pipeline knows callers, under the configuration in force. Raises Unproven when gone."""
    world = hub.world
    principal = OPERATOR if caller.kind == Kind.OPERATOR else world.people.find(caller.principal)
    if principal is None:
        raise Unproven("unknown_principal", "you are no longer in the configuration")
    return Call(
        world=world,
        principal=principal,
        channel=channel,
        assurance=caller.assurance,
        may_decide=caller.may_decide,
        evidence=caller.evidence,
    )
