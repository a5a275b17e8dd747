"""Whether a Slack account may act at all, as Slack describes it now. Who it is in hub.yaml, the hub decides."""

from __future__ import annotations

from collections.abc import Callable

from adapters.slack.api import Api
from adapters.slack.parse import Account
from core.errors import Forbidden
from hub.contracts import DeliveryFailed

_FRESH_SECONDS = 60.0
_MOST = 10_000

_REFUSED = (
    ("deleted", "account_deactivated", "this Slack account is deactivated"),
    ("is_bot", "account_is_bot", "bots cannot act here"),
    ("is_stranger", "account_is_stranger", "this account belongs to another company"),
    ("is_ultra_restricted", "account_is_guest", "guests of the workspace cannot act here"),
    ("is_restricted", "account_is_guest", "guests of the workspace cannot act here"),
)


class Accounts:
    """Accounts of one workspace; what Slack says of one is kept for a minute."""

    def __init__(self, api: Api, now: Callable[[], float]) -> None:
        self._api = api
        self._now = now
        self._known: dict[str, tuple[float, Forbidden | None]] = {}
        self.team: str | None = None
        self.enterprise: str | None = None

    async def demand(self, account: Account) -> None:
        """Nothing, when the account is a full member of our workspace. Raises Forbidden, also when Slack cannot say."""
        at_home = account.team == self.team or (self.enterprise is not None and account.enterprise == self.enterprise)
        if self.team is not None and not at_home:
            raise Forbidden("foreign_workspace", "this account belongs to another workspace, and cannot act here")
        at, refusal = self._known.get(account.user, (None, None))
        if at is None or self._now() - at >= _FRESH_SECONDS:
            refusal = await self._ask(account)
        if refusal is not None:
            raise refusal

    async def _ask(self, account: Account) -> Forbidden | None:
        try:
            answer = await self._api.insist("users.info", user=account.user)
        except DeliveryFailed as failed:
            raise Forbidden(
                "account_unknown", f"Slack could not say whether this account may act ({failed}); try again"
            ) from None
        told = answer.get("user") or {}
        refusal = None
        if told.get("id") != account.user:
            refusal = Forbidden("account_unknown", "Slack described another account than yours; try again")
        for key, code, words in _REFUSED:
            if told.get(key):
                refusal = Forbidden(code, words)
                break
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[account.user] = (self._now(), refusal)
        return refusal
