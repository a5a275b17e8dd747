"""What the CLI does itself when no hub runs: it takes the data directory's lock, writes, signs, and lets go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from config.datadir import hold
from config.hub import open_database, open_keys, read_config
from config.settings import Settings
from core.clock import SystemClock
from core.errors import NotFound
from core.people.assurance import Assurance
from core.people.directory import OPERATOR, Kind, Principal
from core.people.keys import Key, create, listing, revoke
from core.people.links import create as create_link
from core.store.database import Database
from core.store.rows import Reader
from core.store.tx import Tx
from core.world import World
from hub.checkpoints import Checkpoints

T = TypeVar("T")

CHANNEL = "cli"


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database with a running writer, while nobody else has it. Raises Conflict (`data_in_use`), StoreError."""
    with hold(settings.data):
        db = open_database(settings, SystemClock())
        open_keys(settings, db)
        db.open()
        try:
            yield db
        finally:
            db.close()


def create_key(settings: Settings, principal_id: str, *, decide: bool) -> str:
    """The text of a new key. Raises NotFound (`unknown_principal`)."""
    principal = _principal(read_config(settings).world, principal_id)
    return _write(settings, lambda tx: create(tx, by=OPERATOR.id, principal=principal, decide=decide, channel=CHANNEL))


def revoke_key(settings: Settings, prefix: str) -> Key:
    """The key that was ended. Raises NotFound."""
    return _write(settings, lambda tx: revoke(tx, by=OPERATOR.id, prefix=prefix, channel=CHANNEL))


def list_keys(settings: Settings) -> list[Key]:
    """Every key, without its text."""

    def read(reader: Reader) -> list[Key]:
        return listing(reader, limit=10_000)

    with opened(settings) as db:
        return db.read_now(read)


def login_link(settings: Settings, person: str) -> str:
    """A one-time sign-in link's path, such as `/login/…`. Raises NotFound (`unknown_principal`)."""
    principal = _principal(read_config(settings).world, person)
    if principal.kind is not Kind.PERSON:
        raise NotFound("not_a_person", f"{person} is no person; give them a key")
    token = _write(
        settings,
        lambda tx: create_link(
            tx, by=OPERATOR.id, principal=principal, assurance=Assurance.SIGNED_IN, began=CHANNEL, channel=CHANNEL
        ),
    )
    return f"/login/{token}"


def sign_offline(settings: Settings) -> str:
    """A checkpoint over everything, stored, and sent to the anchors."""
    world = read_config(settings).world

    async def sign(db: Database) -> str:
        keys = open_keys(settings, db)
        async with db:
            return await Checkpoints(db, keys.checkpoint, settings.data, lambda: world).sign()

    with hold(settings.data):
        return asyncio.run(sign(open_database(settings, SystemClock())))


def _write(settings: Settings, fn: Callable[[Tx], T]) -> T:
    with opened(settings) as db:
        return db.write_now(fn)


def _principal(world: World, name: str) -> Principal:
    found = world.people.find(name)
    if found is None:
        raise NotFound("unknown_principal", f"nobody in hub.yaml is called {name[:64]!r}")
    return found
