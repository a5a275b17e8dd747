"""What agents and their owners hear: messages as they are left, and what an owner has to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.audit.entry import Draft
from core.people.directory import Principal
from core.store.tx import Tx
from core.world import World
from hub.messenger import Messenger

_OWNERS_ARE_TOLD: Mapping[str, str] = {
    "agent:budget": "{agent} wants more than its budget: {why}",
    "agent:unanswered": "{agent} does not answer {message}: {text}",
    "agent:suspended": "{agent} was suspended: {reason}",
}


class Agents:
    """The hub's part in what is said to agents and of them."""

    def __init__(self, messenger: Messenger, tell: Callable[[Principal, str], None]) -> None:
        self._messenger = messenger
        self._tell = tell

    def plan(self, tx: Tx, world: World) -> None:
        """In this transaction: an agent's owner will hear what its entries say; an agent that looks sees its message."""
        for draft in tx.drafts:
            agent = world.people.find(draft.subject or "") if draft.event.startswith("agent:") else None
            if agent is not None:
                self._plan(tx, world, agent, draft)

    def _plan(self, tx: Tx, world: World, agent: Principal, draft: Draft) -> None:
        facts = {**draft.details, **draft.private}
        if draft.event == "agent:told":
            text = f"{facts['message']} from {draft.actor}: {facts['text']}"
            tx.after_commit(lambda: self._tell(agent, text))
        elif draft.event in _OWNERS_ARE_TOLD:
            words = _OWNERS_ARE_TOLD[draft.event].format_map({"agent": agent.id, **facts})
            for owner in sorted(agent.owners):
                if (person := world.people.find(owner)) is not None and owner != draft.actor:
                    self._messenger.plan(tx, person, agent.id, words)
