"""What is done once Slack was told that a message arrived: the hub is asked, and the person answered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.slack import render
from adapters.slack.accounts import Accounts
from adapters.slack.api import Api
from adapters.slack.groups import Groups
from adapters.slack.parse import Heard, link_code, said
from adapters.slack.posting import Posting
from adapters.slack.rooms import Rooms
from core.errors import Forbidden
from core.people.assurance import Assurance
from hub.contracts import Caller, Card, Command, DeliveryFailed, Hub, Inbound, Reply, Sender

_HOME_CARDS = 8

logger = logging.getLogger("interlock.slack")


class Desk:
    """One workspace's presses and commands at work."""

    def __init__(
        self,
        *,
        channel: str,
        hub: Hub,
        api: Api,
        accounts: Accounts,
        rooms: Rooms,
        posting: Posting,
        groups: Groups,
        command: str,
        match_email: bool,
        home: str = "",
    ) -> None:
        self._channel = channel
        self._hub = hub
        self._api = api
        self._accounts = accounts
        self._rooms = rooms
        self._posting = posting
        self._groups = groups
        self._command = command
        self._match_email = match_email
        self._start = f"{home}/" if home else ""
        """What addresses begin with where there are several workspaces."""
        self.bot_user: str | None = None

    async def do(self, heard: Heard) -> None:
        """It is done and answered. Raises StoreError when nothing was done, DeliveryFailed when it was not answered."""
        match heard.kind:
            case "said":
                code = link_code(heard.text)
                said = self._linked(heard, code) if code is not None else self._told(heard)
                await self._answer(heard, await said)
            case "pressed":
                await self._pressed(heard)
            case "gave_reason":
                await self._recorded(heard, replace(self._inbound(heard), press=heard.token, comment=heard.text))
            case "gave_id":
                await self._recorded(heard, replace(self._inbound(heard), press=heard.token, confirm=heard.text))
            case "asks_reason":
                await self._open(heard, render.reason_view(heard.token, heard.label, heard.title))
            case "asks_id":
                await self._open(heard, render.typed_view(heard.token, heard.label, heard.title, heard.approval))
            case "asks_whole":
                await self._whole(heard)
            case "opened_home":
                await self._home(heard)
            case "room_changed":
                await self._room_changed(heard)
            case "group_changed":
                await self._groups.refresh(now=True)

    async def _recorded(self, heard: Heard, inbound: Inbound) -> None:
        """The answer stands in the dialog from which it was pressed."""
        reply = await self._ask(heard, inbound)
        word = "Recorded" if reply.ok else "Not recorded"
        await self._show(heard.view, render.notice_view(word, reply.text))

    async def _told(self, heard: Heard) -> Reply:
        return await self._ask(heard, await self._spoken(heard))

    async def _linked(self, heard: Heard, code: str) -> Reply:
        """The account is bound to the person of the code, when it is a full member's."""
        whole = heard.account.identities[-1:] or (f"?/{heard.account.user}",)
        inbound = replace(self._inbound(heard), sender=Sender(identity=whole[0]))
        try:
            await self._accounts.demand(heard.account)
        except Forbidden as refusal:
            return await self._hub.refuse(inbound, refusal.code, refusal.message)
        return await self._hub.link(inbound, code)

    def _inbound(self, heard: Heard) -> Inbound:
        """The part of an Inbound that is the same whatever was done."""
        who = heard.account
        known = {self._hub.named(self._channel, each): each for each in who.identities}
        named = [identity for principal, identity in known.items() if principal is not None]
        identity = named[0] if len(named) == 1 else next(iter(who.identities), f"?/{who.user}")
        return Inbound(
            channel=self._channel,
            sender=Sender(identity=identity if len(named) < 2 else f"?/{who.user}"),
            assurance=Assurance.CHAT,
            message_id=heard.key,
            body_hash=heard.body_hash,
            said_at_us=heard.said_at_us,
            evidence={"slack": "/".join(who.identities[:1]) or who.user, "message": heard.key[:200]},
            private=True,  # `_answer` shows it to them alone
        )

    async def _spoken(self, heard: Heard) -> Inbound:
        def name_of(user: str) -> str | None:
            return self._hub.named(self._channel, f"{heard.account.team}/{user}")

        text = said(heard.text, name_of)
        return replace(self._inbound(heard), text=text, answer_to=await self._address_of(heard.room))

    async def _address_of(self, room: str | None) -> str | None:
        """The room by the name under which the configuration asks there, so that it gets one card and not two."""
        if room is None:
            return None
        for place in self._hub.places(self._channel) if room[0] != "D" else ():
            try:
                if place.startswith(self._start) and await self._rooms.id_of(place[len(self._start) :]) == room:
                    return place
            except DeliveryFailed:
                continue  # that place is no room of ours; its own card says why
        return f"{self._start}{room}"

    async def _ask(self, heard: Heard, inbound: Inbound) -> Reply:
        """What the hub says; accounts that are no full members of our workspace never come so far."""
        caller = await self._caller(heard)
        if caller is not None:
            try:
                await self._accounts.demand(heard.account)
            except Forbidden as refusal:
                return await self._hub.refuse(inbound, refusal.code, refusal.message)
            if caller.evidence:
                evidence = {**inbound.evidence, **caller.evidence}
                inbound = replace(inbound, sender=Sender(principal=caller.principal), evidence=evidence)
        reply = await self._hub.handle(inbound)
        if reply.code != "unknown_sender":
            return reply
        how = (
            f"or link this account: sign in on the page, or use the shell, type `link`, then here {self._command} link"
        )
        return replace(reply, text=f"{reply.text}, {how} and the code")

    async def _pressed(self, heard: Heard) -> None:
        reply = await self._ask(heard, replace(self._inbound(heard), press=heard.token))
        await self._answer(heard, replace(reply, card=None))
        card = reply.card if reply.card is not None else await self._looked_up(heard)
        if card is not None and card.state != "REVIEWING" and heard.room and heard.message and heard.answer_url:
            await self._posting.strip(heard.room, heard.message, heard.answer_url, card)
        if heard.view is not None:
            await self._home(heard)

    async def _looked_up(self, heard: Heard) -> Card | None:
        """The request behind a card that could not be pressed any more, as its presser may see it."""
        caller = await self._caller(heard)
        if caller is None or heard.approval is None:
            return None
        return (await self._hub.card(caller, heard.approval)).card

    async def _caller(self, heard: Heard) -> Caller | None:
        """Who it is: as hub.yaml or a link says, else by the address that Slack has verified, where that is wanted."""
        name = self._hub.named(self._channel, str(self._inbound(heard).sender.identity))
        evidence: dict[str, str] = {}
        if name is None and self._match_email:
            email = await self._accounts.verified_email(heard.account)
            name = self._hub.by_email(self._channel, email) if email is not None else None
            evidence = {"matched": "e-mail address verified by Slack"}
        if name is None:
            return None
        return Caller(principal=name, name=name, kind="person", assurance=Assurance.CHAT, evidence=evidence)

    async def _whole(self, heard: Heard) -> None:
        """A dialog at once, for its permission to open lasts three seconds; then all of the request in it."""
        opened = await self._open(heard, render.notice_view("One moment", "It is being looked up …"))
        if opened is None:
            return
        reply = await self._ask(heard, _asking(self._inbound(heard), "show", {"id": heard.token}))
        view = render.whole_view(reply.card) if reply.card is not None else render.notice_view("Sorry", reply.text)
        await self._show(opened, view)

    async def _open(self, heard: Heard, view: Mapping[str, Any]) -> str | None:
        """The id of the dialog that opened; None when Slack opened none, which its presser is told with a way out."""
        try:
            answer = await self._api.call("views.open", trigger_id=heard.trigger, view=view)
        except DeliveryFailed as failed:
            logger.warning("a dialog in %s did not open: %s", self._channel, failed)
            await self._answer(heard, Reply(ok=False, text=render.not_opened(heard, str(failed), self._command)))
            return None
        return str((answer.get("view") or {}).get("id") or "") or None

    async def _show(self, view_id: str | None, view: Mapping[str, Any]) -> None:
        if view_id:
            await self._api.insist("views.update", view_id=view_id, view=view)

    async def _home(self, heard: Heard) -> None:
        """The app's home as its reader may see it."""
        base = replace(self._inbound(heard), message_id=None)
        queue = await self._ask(heard, _asking(base, "queue", {"which": "mine"}))
        if not queue.ok:
            home = {"type": "home", "blocks": list(render.answer_message(queue, self._hub.public_url).blocks)}
            await self._api.insist("views.publish", user_id=heard.account.user, view=home)
            return
        caller = await self._caller(heard)
        assert caller is not None  # else the queue had been refused
        items = [each for each in queue.data.get("items") or () if isinstance(each, Mapping)]
        theirs = [each for each in items if each["requester"]["id"] == caller.principal]
        waiting = [str(each["id"]) for each in items if each["requester"]["id"] != caller.principal]
        replies = [await self._hub.card(caller, each) for each in waiting[:_HOME_CARDS]]
        cards = [each.card for each in replies if each.card is not None]
        leases = await self._ask(heard, replace(base, text="locks"))
        asked = "\n".join(f"{each['id']}  {each['title']}  ({str(each['state']).lower()})" for each in theirs)
        home = render.home_view(cards, asked, leases.text if leases.ok else "", self._command)
        await self._api.insist("views.publish", user_id=heard.account.user, view=home)

    async def _room_changed(self, heard: Heard) -> None:
        if heard.room is None:
            return
        self._rooms.forget(heard.room)
        for address in self._rooms.names_of(heard.room):
            await self._hub.takes_again(self._channel, f"{self._start}{address}")

    async def _answer(self, heard: Heard, reply: Reply) -> None:
        """The person has the answer, and nobody else: by the address that came along, else in private."""
        message = render.answer_message(reply, self._hub.public_url)
        body = {"text": message.text, "blocks": list(message.blocks)}
        if heard.answer_url is not None:
            await self._api.answer(heard.answer_url, {**body, "response_type": "ephemeral", "replace_original": False})
            return
        thread = {"thread_ts": heard.thread} if heard.thread else {}
        if heard.room is not None and not heard.private:
            try:
                await self._api.insist(
                    "chat.postEphemeral", channel=heard.room, user=heard.account.user, **thread, **body
                )
                return
            except DeliveryFailed as failed:
                if not failed.permanent:
                    raise
                thread = {}
        place = heard.room if heard.private and heard.room else heard.account.user
        await self._api.insist(
            "chat.postMessage", channel=place, **thread, **body, unfurl_links=False, unfurl_media=False
        )


def _asking(inbound: Inbound, verb: str, args: Mapping[str, Any]) -> Inbound:
    return replace(inbound, command=Command(verb=verb, args=args))
