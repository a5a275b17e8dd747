"""What could be wrong with a hub, each with what to do about it. It looks, and changes nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from config.datadir import KEYS, is_held, key_file
from config.hub import read_config
from config.loader import Loaded
from config.settings import Settings
from config.verifying import reading
from core.apply.action import Action, AgentSpec, CommandSpec, Operation
from core.approvals.freeze import freezes
from core.approvals.owed import all_owed
from core.audit.anchors import is_outside, parse_anchor, read_notes
from core.clock import SystemClock, rfc3339, show_duration
from core.errors import Refusal, StoreError, Unavailable
from core.people.told import told_groups
from core.schedules.schedule import living
from core.store.migrate import is_current
from core.store.sqlite import RESERVE_BYTES
from core.triggers.standing import standings
from core.world import World
from hub.asking import places, sources
from hub.receiving import refusing

Level = Literal["ok", "warn", "fail"]

_OLD_CHECKPOINT_SECONDS = 24 * 3600.0
_LITTLE_SPACE = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One line of the doctor's. `remedy` is empty when nothing is to be done."""

    level: Level
    what: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """The line for a person."""
        return f"{self.level:<5} {self.what}" + (f" → {self.remedy}" if self.remedy else "")

    def to_json(self) -> dict[str, str]:
        """The line for a program."""
        return {"level": self.level, "what": self.what, "remedy": self.remedy}


def ok(what: str) -> Examined:
    return Examined(level="ok", what=what)


def warn(what: str, remedy: str) -> Examined:
    return Examined(level="warn", what=what, remedy=remedy)


def fail(what: str, remedy: str) -> Examined:
    return Examined(level="fail", what=what, remedy=remedy)


def examine(settings: Settings) -> list[Examined]:
    """Everything that was looked at."""
    found: list[Examined] = []
    loaded, told = _configuration(settings)
    found += told
    for look in (_directory, _keys, _database, _space, _clock):
        found += _safely(look, settings)
    if loaded is not None:
        found += _anchors(settings, loaded.world)
        found += _trust(loaded.world)
        found += _safely(partial(_frozen, world=loaded.world), settings)
        found += _safely(_owed, settings)
        found += _safely(_unreached, settings)
        found += _safely(partial(_automation, world=loaded.world), settings)
        found += _secrets_files(settings, loaded)
        found += _channels(settings, loaded)
        found += _provider(loaded.world)
    return found


def _safely(look: Callable[[Settings], Iterator[Examined]], settings: Settings) -> list[Examined]:
    try:
        return list(look(settings))
    except (OSError, StoreError, sqlite3.Error) as error:
        name = look.func.__name__ if isinstance(look, partial) else look.__name__
        return [fail(f"{name.strip('_')}: {error}", "mend what it names, then look again")]


def _configuration(settings: Settings) -> tuple[Loaded | None, list[Examined]]:
    try:
        loaded = read_config(settings)
    except Refusal as refusal:
        problems = refusal.data.get("problems") or [refusal.message]
        return None, [fail(str(each), "`interlock check` says it in full") for each in problems]
    warnings = [warn(str(each), each.remedy or "look at it") for each in loaded.warnings]
    return loaded, [ok(f"{settings.config} is valid"), *warnings]


def _directory(settings: Settings) -> Iterator[Examined]:
    if not settings.data.is_dir():
        yield warn(f"there is no data directory {settings.data}", "the first `interlock up` makes it")
        return
    mode = stat.S_IMODE(settings.data.stat().st_mode)
    if mode & 0o077:
        yield fail(f"others can look into {settings.data} (mode {mode:03o})", f"chmod 700 {settings.data}")
    else:
        yield ok(f"{settings.data} is private")
    yield ok("a hub runs on it" if is_held(settings.data) else "no hub runs on it now")


def _keys(settings: Settings) -> Iterator[Examined]:
    for name in KEYS:
        path = key_file(settings.data, name)
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield fail(f"others can read {path} (mode {mode:03o})", f"chmod 600 {path}, and replace the key")
        else:
            yield ok(f"{path.name} is private")


def _database(settings: Settings) -> Iterator[Examined]:
    if settings.database_url is None and not (settings.data / "hub.db").exists():
        yield warn("there is no database yet", "the first `interlock up` makes it")
        return
    if not is_current(settings.database):
        yield fail("the database's tables are not this version's", "stop the hub, then: interlock migrate")
        return
    if settings.database_url is not None:
        yield ok("PostgreSQL answers, and its tables are this version's")
        return
    path = settings.data / "hub.db"
    with _read_only(path) as db:
        (result,) = db.execute("PRAGMA quick_check(1)").fetchone()
        (journal,) = db.execute("PRAGMA journal_mode").fetchone()
    if result != "ok":
        yield fail(f"the database is damaged: {result}", "stop the hub, and restore the newest backup")
    elif journal != "wal":
        yield fail(f"the database's journal is {journal}, not wal", "put it on a local disk, and start the hub again")
    else:
        yield ok("the database is sound: quick_check ok, write-ahead log, synchronous=FULL")


def _read_only(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))


def _space(settings: Settings) -> Iterator[Examined]:
    folder = settings.data if settings.data.exists() else settings.data.parent
    free = shutil.disk_usage(folder).free
    shown = f"{free / 1e9:.1f} GB free for {settings.data}"
    if free < RESERVE_BYTES:
        yield fail(shown, "free some space: new requests are refused below the reserve")
    elif free < _LITTLE_SPACE:
        yield warn(shown, "free some space soon")
    else:
        yield ok(shown)


def _clock(settings: Settings) -> Iterator[Examined]:
    """The log's clock never goes back: a wall clock far behind it means that one of the two was wrong."""
    if settings.database_url is not None or not (settings.data / "hub.db").exists():
        return
    with _read_only(settings.data / "hub.db") as db:
        row = db.execute("SELECT max(ts) FROM log_head").fetchone()
    behind = ((row[0] or 0) - SystemClock().wall_us()) / 1e6
    if behind > 60:
        yield warn(f"this machine's clock is {show_duration(behind)} behind the log's newest entry", "check its time")
    else:
        yield ok("the clock agrees with the log")


def _anchors(settings: Settings, world: World) -> Iterator[Examined]:
    outside = 0
    for text in world.anchors:
        path = parse_anchor(text, root=world.root)
        if not is_outside(path, settings.data):
            yield fail(
                f"the anchor {path} lies inside the data directory and proves nothing", "audit.anchors: name another"
            )
            continue
        outside += 1
        yield from _anchor(path)
    if not outside:
        yield warn("no checkpoint is kept outside the data directory", "audit.anchors: name a file elsewhere")


def _anchor(path: Path) -> Iterator[Examined]:
    try:
        read_notes(path)
        age = time.time() - path.stat().st_mtime
    except (Refusal, OSError):
        yield warn(f"the anchor {path} holds no checkpoint yet", "the hub writes one within a minute of the first news")
        return
    if age > _OLD_CHECKPOINT_SECONDS:
        yield warn(f"the newest checkpoint in {path} is {show_duration(age)} old", "interlock audit checkpoint")
    else:
        yield ok(f"the newest checkpoint in {path} is {show_duration(age)} old")


def _operations(action: Action) -> Iterator[Operation | AgentSpec]:
    yield from action.validate
    if action.preview is not None:
        yield action.preview.operation
    yield action.apply
    if action.rollback is not None:
        yield action.rollback


def _trust(world: World) -> Iterator[Examined]:
    """What the configuration trusts, said aloud."""
    bare = sorted(
        name
        for name, action in world.actions.items()
        if any(isinstance(each, CommandSpec) and each.run_as is None for each in _operations(action))
    )
    if bare:
        yield warn(
            f"commands of {', '.join(bare)} run as the hub's own user, and could rewrite its data",
            "run_as: another user (docs/security.md)",
        )
    for policy in world.policies:
        if policy.allow:
            yield warn(f"the policy {policy.name} allows without asking anybody", "make sure that this is meant")
        if policy.break_glass is not None:
            groups = ", ".join(policy.break_glass.groups)
            yield ok(f"{groups} may run what the policy {policy.name} covers by break-glass")
    if os.geteuid() == 0:
        yield warn("this runs as root", "run the hub as a user of its own")


def _frozen(settings: Settings, world: World) -> Iterator[Examined]:
    """What nothing may start on now."""
    if settings.database_url is None and not (settings.data / "hub.db").exists():
        return
    if not is_current(settings.database):
        return
    with reading(settings) as reader:
        for each in freezes(reader, world):
            until = rfc3339(each.until)[:16].replace("T", " ")
            remedy = f"`unfreeze {each.name}` when it is not meant any more" if each.by else "it ends by itself"
            yield warn(
                f"{', '.join(each.resources)} is frozen by {each.name} until {until} UTC ({each.reason})", remedy
            )


def _owed(settings: Settings) -> Iterator[Examined]:
    """What ran by break-glass and nobody else has looked at."""
    if settings.database_url is None and not (settings.data / "hub.db").exists():
        return
    if not is_current(settings.database):
        return
    with reading(settings) as reader:
        for each in all_owed(reader):
            due = rfc3339(each.due_at)[:16].replace("T", " ")
            late = "overdue since" if each.due_at <= reader.now_us else "owed until"
            remedy = f"`review {each.name} ok because …`, or objected, by somebody who could have decided"
            yield warn(f"{each.name} ran by break-glass: its review is {late} {due} UTC", remedy)


def _unreached(settings: Settings) -> Iterator[Examined]:
    """Addresses that take no message since a channel refused them, and groups that a channel cannot tell."""
    if settings.database_url is None and not (settings.data / "hub.db").exists():
        return
    if not is_current(settings.database):
        return
    with reading(settings) as reader:
        for channel, address, why in refusing(reader):
            yield warn(
                f"nothing reaches {address} on {channel}: {why}", "mend it; people are asked elsewhere meanwhile"
            )
        for source, told in sorted(told_groups(reader).items()):
            if told.problem is not None:
                since = rfc3339(told.at)[:16].replace("T", " ") if told.at else "never"
                yield warn(f"{source} was read last {since} UTC: {told.problem}", "once it is stale it counts as empty")


def _automation(settings: Settings, world: World) -> Iterator[Examined]:
    """Schedules that do not get what they ask for, and triggers that somebody switched off."""
    if settings.database_url is None and not (settings.data / "hub.db").exists():
        return
    if not is_current(settings.database):
        return
    with reading(settings) as reader:
        for each in living(reader):
            remedy = f"`unschedule {each.name}`, or give {each.owner} what it needs"
            if world.people.find(each.owner) is None:
                yield warn(f"{each.name} is of {each.owner}, who is no longer there: it ends when it is due", remedy)
            elif each.last_code not in (None, "ok"):
                yield warn(f"{each.name} of {each.owner} was refused last ({each.last_code})", remedy)
        for name, place in standings(reader).items():
            if place.disabled_by is not None:
                yield warn(f"the trigger {name} is switched off by {place.disabled_by}", f"`trigger enable {name}`")


def _secrets_files(settings: Settings, loaded: Loaded) -> Iterator[Examined]:
    for path in loaded.files:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o022:
            yield fail(f"others can change {path} (mode {mode:03o})", f"chmod go-w {path}")
    env = settings.config.parent / ".env"
    if env.exists() and stat.S_IMODE(env.stat().st_mode) & 0o077:
        yield fail(f"others can read {env}", f"chmod 600 {env}")


def _channels(settings: Settings, loaded: Loaded) -> Iterator[Examined]:
    """Ask each configured adapter what it would tell."""
    if not loaded.world.channels:
        yield ok("no channel but the page and the hooks is configured")
        return
    for name, (problems, seconds) in asyncio.run(_ask_adapters(settings, loaded)).items():
        for problem in problems:
            yield warn(f"channel {name}: {problem}", "mend it, then: interlock reload")
        if not problems:
            yield ok(f"channel {name} is well, which took {seconds:.1f} s to find out")


def _provider(world: World) -> Iterator[Examined]:
    """Ask the OpenID provider what it would be asked when somebody signs in, but for the secret."""
    if world.provider is None:
        return
    from hub.openid import OpenId

    client = OpenId(world.provider, SystemClock())
    try:
        asyncio.run(client.keys())
    except Unavailable as failure:
        yield warn(
            f"nobody can sign in with {world.provider.name}: {failure.message}", "sign_in.oidc: mend what it names"
        )
    else:
        back = f"{world.public_url}/login/oidc/callback"
        yield ok(f"{world.provider.name} answers as {world.provider.issuer}, and has to know {back}")


async def _ask_adapters(settings: Settings, loaded: Loaded) -> dict[str, tuple[list[str], float]]:
    """Channel -> its problems, and how long it took to say so (for mail: there and back)."""
    from importlib.metadata import entry_points

    from config.hub import ADAPTERS

    found = {point.name: point for point in entry_points(group=ADAPTERS)}
    answers: dict[str, tuple[list[str], float]] = {}
    for name, channel in loaded.world.channels.items():
        begun = time.monotonic()
        try:
            adapter: Any = found[channel.adapter].load()(channel, _Nobody(loaded.world))
            async with asyncio.timeout(15):
                problems = await adapter.check()
        except TimeoutError:
            problems = ["it gave no answer within 15 s"]
        except Exception as error:  # a stranger's adapter may fail in any way; the doctor says so
            problems = [f"its check failed: {error}"]
        answers[name] = (problems, time.monotonic() - begun)
    return answers


class _Nobody:
    """What an adapter sees of a hub while the doctor asks: its address, and nothing to talk to."""

    def __init__(self, world: World) -> None:
        self.public_url = world.public_url
        self.clock = SystemClock()
        self._world = world

    def places(self, channel: str) -> tuple[str, ...]:
        """The addresses on the channel that the configuration names."""
        return places(self._world, channel)

    def sources(self, channel: str) -> tuple[str, ...]:
        """The channel's own groups whose members the configuration takes over."""
        return sources(self._world, channel)
