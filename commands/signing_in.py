"""The verb `login`: a one-time sign-in link for oneself, where nobody else reads the answer."""

from __future__ import annotations

from commands.stopping import NoArgs
from commands.verb import Call, Desk, Outcome, Permission, Verb
from core.errors import Forbidden
from core.people import links
from core.people.assurance import Assurance
from core.people.directory import Kind
from core.store.tx import Tx


async def _where(desk: Desk, call: Call, args: NoArgs) -> str:
    return desk.public_url.rstrip("/")


def _login(tx: Tx, call: Call, args: NoArgs, prepared: str) -> Outcome:
    """The link, as strong as the proof of who asks and never more than `chat`: whoever reads along may be quicker."""
    _demand_own_place(call)
    token = links.create(
        tx,
        by=call.principal.id,
        principal=call.principal,
        assurance=min(call.assurance, Assurance.CHAT),
        began=call.channel,
        channel=call.channel,
    )
    url = f"{prepared}/login/{token}"
    return Outcome(
        text=f"{url}\n"
        f"It signs you in as {call.principal.name}, once, within {links.TTL_SECONDS / 60:g} minutes. "
        "Give it to nobody: whoever opens it acts as you.",
        data={"sign_in": url},
        said_again="That link was shown once; `login` makes a new one.",
        record=False,
    )


def _demand_own_place(call: Call) -> None:
    """Nothing, for a person whose channel brings them the answer alone. Raises Forbidden."""
    if call.principal.kind is not Kind.PERSON or not call.may_decide:
        raise Forbidden("not_a_person", "only a person signs in; a program comes with a key")
    if not call.private:
        raise Forbidden(
            "not_private",
            "a sign-in link is given where nobody else reads it: in Slack type `login`, by mail ask for one on the "
            "sign-in page, or have an administrator run `interlock login-link` for you",
        )


VERBS = (
    Verb(
        name="login",
        args=NoArgs,
        prepare=_where,
        run=_login,
        permission=Permission.KNOWN,
        usage="login",
        summary="Get a link that signs you in on the page, in a chat that shows it to you alone.",
    ),
)
