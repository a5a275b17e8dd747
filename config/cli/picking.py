"""Which requests a command of the shell is about: named one by one, or all that wait from somebody or for an action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from config.cli.exits import usage

if TYPE_CHECKING:
    from config.cli.client import Client

MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was typed. `digest` is for one request that was looked at elsewhere."""

    ids: tuple[str, ...] = ()
    requester: str | None = None
    action: str | None = None
    digest: str | None = None

    def look(self, client: Client) -> list[dict[str, Any]]:
        """The requests as they are now. Raises Failure (usage) for a choice that makes no sense, or is too large."""
        narrowed = self.requester is not None or self.action is not None
        if bool(self.ids) == narrowed:
            raise usage("name requests, or choose them with --from and --action")
        if self.digest is not None and len(self.ids) != 1:
            raise usage("--digest is about one request")
        found = [client.get(f"/v1/approvals/{each}") for each in dict.fromkeys(self.ids)] or self._waiting(client)
        if len(found) > MOST_AT_ONCE:
            raise usage(
                f"more than {MOST_AT_ONCE} requests wait there; narrow it with --from and --action, or name them"
            )
        return found

    def _waiting(self, client: Client) -> list[dict[str, Any]]:
        """What waits for the caller, up to one more than may be decided at once; never their own requests."""
        me = client.say("whoami")["data"]["id"]
        who = self.requester.lstrip("@") if self.requester is not None else None
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = client.get(
                "/v1/approvals",
                state="reviewing",
                mine="true",
                requester=who,
                action=self.action,
                cursor=cursor,
                limit=MOST_AT_ONCE,
            )
            found += [each for each in page["items"] if each["requester"]["id"] != me]
            cursor = page["next"]
            if cursor is None or len(found) > MOST_AT_ONCE:
                return found
