"""Whether a Slack account may act at all, as Slack describes it now. Who it is in hub.yaml, the hub decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What Slack said of an account, and when."""

    at: float
    refusal: Forbidden | None
    email: str | None
    """Its address, when Slack has verified it."""


class Accounts:
    """Accounts of one workspace; what Slack says of one is kept for a minute."""

    def __init__(self, api: Api, now: Callable[[], float]) -> None:
        self._api = api
        self._now = now
        self._known: dict[str, _Told] = {}
        self.greeted = asyncio.Event()
        """Set once Slack was asked for the first time which workspace this is."""
        self.team: str | None = None
        self.enterprise: str | None = None
        self.barred: str | None = None
        """Why nobody of this workspace can act at all; None while they can."""

    async def demand(self, account: Account) -> None:
        """Nothing, when the account is a full member of our workspace. Raises Forbidden, also when Slack cannot say."""
        await self._demanded(account)

    async def verified_email(self, account: Account) -> str | None:
        """The address of a full member, when Slack has verified it; None for everybody else."""
        try:
            return (await self._demanded(account)).email
        except Forbidden:
            return None

    async def _demanded(self, account: Account) -> _Told:
        if self.barred is not None:
            raise Forbidden("other_workspace", self.barred)
        await self.greeted.wait()
        if self.team is None:
            raise Forbidden("account_unknown", "Slack has not said yet which workspace this is; try again")
        at_home = account.team == self.team or (self.enterprise is not None and account.enterprise == self.enterprise)
        if not at_home:
            raise Forbidden("foreign_workspace", "this account belongs to another workspace, and cannot act here")
        told = self._known.get(account.user)
        if told is None or self._now() - told.at >= _FRESH_SECONDS:
            told = await self._ask(account)
        if told.refusal is not None:
            raise told.refusal
        return told

    async def _ask(self, account: Account) -> _Told:
        try:
            answer = await self._api.insist("users.info", user=account.user)
        except DeliveryFailed as failed:
            raise Forbidden(
                "account_unknown", f"Slack could not say whether this account may act ({failed}); try again"
            ) from None
        told = answer.get("user") or {}
        refusal = refusal_of(told)
        if told.get("id") != account.user:
            refusal = Forbidden("account_unknown", "Slack described another account than yours; try again")
        if len(self._known) >= _MOST:
            self._known.clear()
        found = _Told(at=self._now(), refusal=refusal, email=self._verified(told))
        self._known[account.user] = found
        return found

    def _verified(self, told: Mapping[str, Any]) -> str | None:
        """The address, when Slack has verified it and the account is of this very workspace."""
        email = (told.get("profile") or {}).get("email")
        ours = self.team is not None and told.get("team_id") == self.team
        return str(email) if email and ours and told.get("is_email_confirmed") is True else None

    async def by_email(self, email: str) -> str:
        """The user id of the one full member with that verified address. Raises DeliveryFailed."""
        told = (await self._api.call("users.lookupByEmail", email=email)).get("user") or {}
        if refusal_of(told) is not None or (self._verified(told) or "").lower() != email.lower():
            raise DeliveryFailed(
                "nobody in the workspace has that address as a full member, verified by Slack",
                permanent=True,
                address_is_dead=True,
            )
        return str(told["id"])


def refusal_of(told: Mapping[str, Any]) -> Forbidden | None:
    """Why an account that Slack describes so cannot act; None for a full member."""
    for key, code, words in _REFUSED:
        if told.get(key):
            return Forbidden(code, words)
    return None
