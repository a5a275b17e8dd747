"""The one place that builds a hub: settings in, everything wired, nothing running yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING

from commands.registry import Registry
from config.datadir import key_file, make_key, random_key, read_key
from config.loader import Loaded, load
from config.settings import Settings
from core.apply.sealing import Sealer, SealingKey
from core.audit.keys import SigningKey
from core.clock import Clock, SystemClock
from core.errors import Invalid, StoreError
from core.store.database import Database
from core.store.engine import Engine
from core.store.migrate import migrate
from core.world import Channel, World
from hub.contracts import Adapter, AdapterFactory
from hub.hub import Hub, Keys

if TYPE_CHECKING:
    from collections.abc import Iterable

ADAPTERS = "interlock.adapters"
BUILT_IN = (
    Channel(name="page", adapter="websocket"),
    Channel(name="hooks", adapter="webhook"),
    *([Channel(name="mcp", adapter="mcp")] if find_spec("mcp") else []),
)
"""Channels that every hub has, whatever is configured; `mcp` where the extra of that name is installed."""


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    loaded: Callable[[Loaded], object] = lambda loaded: None,
    on_lost: Callable[[BaseException], object] = lambda error: None,
) -> Hub:
    """A hub that is ready to be entered (`async with`).

    `loaded` is told of each configuration that was read; `on_lost`, on the writer's thread, that the database can
    no longer be used and the process has to end.

    The caller holds the data directory. Raises Refusal (`bad_config`, …) and StoreError, with what to do.
    """
    clock = clock or SystemClock()
    found = {point.name: point for point in entry_points(group=ADAPTERS)}
    current = read_config(settings, found)
    loaded(current)

    def again() -> World:
        nonlocal current
        fresh = read_config(settings, found)
        loaded(fresh)
        current = fresh
        return fresh.world

    db = open_database(settings, clock, on_lost)
    return Hub(
        db=db,
        world=current.world,
        registry=Registry.installed(),
        keys=open_keys(settings, db),
        data=settings.data,
        load=again,
        resolve=lambda kind, name: current.secrets.lookup(kind, name),
        adapters_of=lambda world, hub: _adapters(world, hub, found),
        clock=clock,
    )


def read_config(settings: Settings, adapters: Iterable[str] | None = None) -> Loaded:
    """The configuration as it stands in the file. Raises ConfigInvalid, and Invalid (`no_config`) without a file."""
    if not settings.config.is_file():
        raise Invalid(
            "no_config", f"there is no {settings.config}; `interlock init` writes a first one, --config names another"
        )
    names = adapters if adapters is not None else [point.name for point in entry_points(group=ADAPTERS)]
    loaded = load(settings.config, settings.environ, frozenset(names))
    anchor = settings.default_anchor
    if loaded.world.anchors or anchor is None:
        return loaded
    return replace(loaded, world=replace(loaded.world, anchors=(str(anchor),)))


def open_database(
    settings: Settings, clock: Clock, on_lost: Callable[[BaseException], object] = lambda error: None
) -> Database:
    """The database with this version's tables, not yet serving. Raises StoreError."""
    migrate(settings.database)
    return Database(_engine(settings, clock), on_lost=on_lost)


def _engine(settings: Settings, clock: Clock) -> Engine:
    if settings.database_url is not None:
        from core.store.postgres import PostgresEngine

        return PostgresEngine(settings.database_url)
    from core.store.sqlite import SqliteEngine

    settings.data.joinpath("hub.db").touch(mode=0o600)
    return SqliteEngine(settings.data / "hub.db", clock)


def open_keys(settings: Settings, db: Database) -> Keys:
    """The hub's own keys. A new log gets new ones; raises StoreError when a log that has entries lacks its key."""
    data = settings.data
    text = read_key(data, "checkpoint")
    if text is None:
        if db.log.size:
            raise StoreError(
                f"{key_file(data, 'checkpoint')} is missing, and the log has {db.log.size} entries that it signed; "
                "put it back from a backup made with --with-keys"
            )
        text = make_key(data, "checkpoint", SigningKey.generate(db.log.origin).text.encode() + b"\n")
    return Keys(
        checkpoint=SigningKey.parse(text.decode()),
        sealer=Sealer(SealingKey(random_key(data, "sealing"))),
        session=random_key(data, "session"),
        press=random_key(data, "press"),
    )


def _adapters(world: World, hub: Hub, found: dict[str, EntryPoint]) -> dict[str, Adapter]:
    """The channels that every hub has and those of the configuration; only their adapters are imported."""
    channels = {channel.name: channel for channel in BUILT_IN} | dict(world.channels)
    adapters: dict[str, Adapter] = {}
    for name, channel in channels.items():
        try:
            factory: AdapterFactory = found[channel.adapter].load()
        except ModuleNotFoundError as error:
            raise Invalid(
                "missing_package",
                f"channels.{name} needs the package {error.name}, which is not installed; "
                f"for our own adapters: pip install 'interlock-hub[{channel.adapter}]'",
            ) from error
        adapters[name] = factory(channel, hub)
    return adapters
