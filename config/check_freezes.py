"""What freezes say: times that come, and that end before the next one begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

from config.build import freeze as built
from config.problem import Path, Problem
from config.schema import Freeze, Hub
from config.source import Source
from core.errors import Invalid
from core.leases.resource import check

_BEGINS = 60
"""Times of a repeated freeze that are looked at."""

_MADE_BY_COMMAND = re.compile(r"[Ff][0-9]+")

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def check_freezes(hub: Hub, source: Source) -> Iterator[Problem]:
    """Problems with the freezes of hub.yaml."""
    names: dict[str, int] = {}
    for at, given in enumerate(hub.freezes):
        path: Path = ("freezes", at)
        if given.name in names:
            yield source.problem((*path, "name"), f"two freezes are called {given.name}", "rename one")
        names[given.name] = at
        if _MADE_BY_COMMAND.fullmatch(given.name):
            yield source.problem(
                (*path, "name"), f"{given.name} could be a freeze that somebody makes by command", "name it in words"
            )
        for index, resource in enumerate(given.resources):
            try:
                check(resource.replace("*", "x"))
            except Invalid as refusal:
                yield source.problem((*path, "resources", index), refusal.message, "write it like env:prod or env:*")
        yield from _times(hub, source, path, given)


def _times(hub: Hub, source: Source, path: Path, given: Freeze) -> Iterator[Problem]:
    window = built(given, hub.timezone, source.named(path))
    if window.cron is None:
        if window.begin is not None and window.until is not None and window.begin >= window.until:
            yield source.problem((*path, "until"), "it ends before it begins", "give a later until")
        return
    begins = list(islice(CronSim(window.cron, _MOMENT.astimezone(ZoneInfo(window.timezone))), _BEGINS))
    if not begins:
        yield source.problem((*path, "cron"), "this time never comes", "look at day and month")
    elif len(begins) > 1 and all(
        later.astimezone(UTC) - earlier.astimezone(UTC) <= timedelta(seconds=window.seconds)
        for earlier, later in pairwise(begins)
    ):
        yield source.problem((*path, "for"), "it never ends: the next one begins before it is over", "make it shorter")
