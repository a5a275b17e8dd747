"""Verbs of who somebody is on other channels: link, unlink, links."""

from __future__ import annotations

from pydantic import Field

from commands.stopping import NoArgs
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.clock import rfc3339
from core.errors import Forbidden
from core.people import linking
from core.people.assurance import Assurance
from core.people.directory import Kind
from core.store.tx import Tx


class UnlinkArgs(Args):
    """Which of one's own: a channel or an account, all without it; of somebody else with `of`."""

    which: str | None = Field(default=None, max_length=200)
    of: str | None = Field(default=None, max_length=64)


def _link(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    _demand_own_place(call)
    code = linking.offer(tx, principal=call.principal, channel=call.channel)
    minutes = f"{linking.CODE_SECONDS / 60:g}"
    return Outcome(
        text=f"Say this on the channel that shall know you, for example in Slack: link {code}\n"
        f"It is good once, for {minutes} minutes. Give it to nobody: whoever says it acts as you.",
        data={"code": code},
        said_again="That code was shown once; `link` makes a new one.",
        record=False,
    )


def _demand_own_place(call: Call) -> None:
    """Nothing, for a person who proved themselves otherwise than by a channel that could be linked. Raises Forbidden."""
    if call.principal.kind is not Kind.PERSON or not call.may_decide:
        raise Forbidden("not_a_person", "only a person links accounts, and not with a key that may not decide")
    if call.channel in call.world.channels or call.assurance < Assurance.CHAT:
        raise Forbidden(
            "too_weak", "a code is given on the page, over HTTP or in the shell: sign in there and type `link`"
        )


def _unlink(tx: Tx, call: Call, args: UnlinkArgs, prepared: None) -> Outcome:
    whose = (args.of or call.principal.id).removeprefix("@")
    if whose != call.principal.id and not call.world.rights.has(call.principal, "keys"):
        raise Forbidden("not_allowed", f"{call.principal.id} may not unlink others' accounts; it needs the right keys")
    found = linking.unlinkable(tx, whose, args.which)
    linking.unlink(tx, found, by=call.principal.id, why="unlinked", channel=call.channel)
    lines = [f"{each.identity} on {each.channel} is not {whose} any more." for each in found]
    return Outcome(text="\n".join(lines), data={"unlinked": [each.identity for each in found]}, record=False)


def _links(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    found = [each for each in linking.links(tx) if each.principal == call.principal.id]
    items = [{"channel": each.channel, "identity": each.identity, "at": rfc3339(each.at)} for each in found]
    lines = [f"{each['identity']} on {each['channel']}, linked {each['at']}" for each in items]
    return Outcome(text="\n".join(lines) or "You have linked no account; `link` gives a code.", data={"items": items})


VERBS = (
    Verb(
        name="link",
        args=NoArgs,
        run=_link,
        permission=Permission.KNOWN,
        usage="link",
        summary="Get a code that links an account, in Slack for example, to you.",
    ),
    Verb(
        name="unlink",
        args=UnlinkArgs,
        run=_unlink,
        permission=Permission.KNOWN,
        positional=("which",),
        clauses={"of": "of"},
        urgent=True,
        usage="unlink [<channel or account>] [of @<person>]",
        summary="End the link of an account, at once.",
    ),
    Verb(
        name="links",
        args=NoArgs,
        run=_links,
        permission=Permission.KNOWN,
        usage="links",
        summary="The accounts that you linked.",
    ),
)
