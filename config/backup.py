"""Backups: a consistent copy of a SQLite data directory in one tar file, and the way back.

    manifest.json    {"format": 1, "created", "size", "root", "origin", "checkpoint", "keys"}
    hub.db           the database as one file
    checkpoints.log  every checkpoint that was signed
    keys/…           only with keys: then the file is a secret

A PostgreSQL database is backed up with PostgreSQL's own tools. Paths in an archive are never believed: exactly
these names are read, and written where they belong.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.datadir import KEYS, hold, key_file, make_key, prepare, read_key
from config.hub import open_database, open_keys
from config.settings import Settings
from core.audit.anchors import is_outside, parse_anchor, read_notes
from core.audit.judge import Held
from core.audit.keys import SigningKey, VerifierKey
from core.audit.merkle import Tree
from core.audit.note import Checkpoint, open_checkpoint
from core.audit.statement import Loss
from core.audit.stored import verify_stored
from core.clock import SystemClock, rfc3339
from core.errors import Conflict, Invalid, Refusal, StoreError
from core.people.directory import OPERATOR
from core.store.tx import Tx

FORMAT = 1
_MEMBERS = frozenset({"manifest.json", "hub.db", "checkpoints.log", *(f"keys/{name}.key" for name in KEYS)})


def write_backup(settings: Settings, file: Path, *, keys: bool = False) -> dict[str, Any]:
    """`file` is a new archive; its manifest. Raises Conflict (`already_there`), Invalid (`not_sqlite`), StoreError."""
    _demand_sqlite(settings)
    source = settings.data / "hub.db"
    if not source.is_file():
        raise StoreError(f"there is no database in {settings.data}")
    copy = file.with_name(f".{file.name}.db")
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict("already_there", f"{file} exists; name another file") from None
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from None
    try:
        _copy_database(source, copy)
        manifest = _manifest(copy, keys=keys)
        with os.fdopen(fd, "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w") as archive:
                _add(archive, "manifest.json", json.dumps(manifest, indent=2).encode())
                archive.add(copy, "hub.db", filter=_anonymous)
                notes = settings.data / "checkpoints.log"
                if notes.exists():
                    _add(archive, "checkpoints.log", notes.read_bytes())
                for name in KEYS if keys else ():
                    content = read_key(settings.data, name)
                    if content is not None:
                        _add(archive, f"keys/{name}.key", content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        copy.unlink(missing_ok=True)
    return manifest


def _demand_sqlite(settings: Settings) -> None:
    if settings.database_url is not None:
        raise Invalid("not_sqlite", "the database is PostgreSQL; back it up with pg_dump, and data/keys beside it")


def _copy_database(source: Path, target: Path) -> None:
    """`target` holds what was committed when the copy began, in one file without a write-ahead log."""
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        live = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        copy = sqlite3.connect(target)
        try:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
            live.close()
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be copied: {error}") from None


def _manifest(database: Path, *, keys: bool) -> dict[str, Any]:
    db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        origin, size, frontier = db.execute("SELECT origin, size, frontier FROM log_head").fetchone()
        newest = db.execute("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    except (sqlite3.Error, TypeError):
        raise StoreError("the database holds no log; has a hub ever run on it?") from None
    finally:
        db.close()
    return {
        "format": FORMAT,
        "created": rfc3339(SystemClock().wall_us()),
        "origin": origin,
        "size": size,
        "root": Tree.from_frontier(size, bytes(frontier)).root().hex(),
        "checkpoint": newest[0] if newest else None,
        "keys": keys,
    }


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mtime = int(time.time())
    archive.addfile(_anonymous(member), io.BytesIO(content))


def restore_backup(settings: Settings, file: Path, *, force: bool = False) -> dict[str, Any]:
    """The data directory holds the backup, verified, and the log says what was lost.

    Raises Conflict (`not_empty`, `data_in_use`, `no_key`), Invalid (`bad_backup`, `not_intact`).
    """
    _demand_sqlite(settings)
    prepare(settings.data)
    with hold(settings.data):
        target = settings.data / "hub.db"
        if target.exists() and not force:
            raise Conflict("not_empty", f"{target} exists; use --force to replace it (it is kept beside)")
        known = _known_size(settings)
        content = _unpacked(file, settings.data)
        manifest = content["manifest"]
        key = _signing_key(settings, content["keys"], manifest)
        fresh = settings.data / "hub.db.restored"
        _verify(settings, fresh, key.verifier, content["notes"])
        aside = _put_in_place(settings.data, fresh, content)
        size = int(manifest["size"])
        lost = max(size, known(str(manifest["origin"]), key.verifier))
        _record(settings, key, kept=size, lost=lost)
    text = f"restored {size} entries"
    if lost > size:
        text += f"; entries {size + 1} to {lost} are lost, and the log says so"
    if aside is not None:
        text += f"\nthe database that was there is {aside}"
    return {"text": text, "size": size, "lost_to": lost, "aside": str(aside) if aside else None}


def _known_size(settings: Settings) -> Any:
    """A function of (origin, key): the largest size of that log that a signed checkpoint within reach tells of."""
    from config.hub import read_config

    files = [settings.data / "checkpoints.log"]
    try:
        world = read_config(settings).world
        paths = [parse_anchor(text, root=world.root) for text in world.anchors]
        files += [path for path in paths if is_outside(path, settings.data)]
    except Refusal:
        files += [settings.default_anchor] if settings.default_anchor is not None else []
    notes: list[str] = []
    for each in files:
        if each.is_file():
            try:
                notes += read_notes(each)
            except Invalid:
                continue
    old = _stored_size(settings.data / "hub.db")

    def largest(origin: str, key: VerifierKey) -> int:
        sizes = [old[1]] if old[0] == origin else []
        for note in notes:
            try:
                checkpoint = open_checkpoint(note, [key])
            except Invalid:
                continue
            if checkpoint.origin == origin:
                sizes.append(checkpoint.size)
        return max(sizes, default=0)

    return largest


def _stored_size(path: Path) -> tuple[str, int]:
    """Origin and size of the database that is there; ("", 0) when it cannot say."""
    if not path.is_file():
        return "", 0
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        row = db.execute("SELECT origin, size FROM log_head").fetchone()
    except sqlite3.Error:
        return "", 0
    finally:
        db.close()
    return (row[0], row[1]) if row else ("", 0)


def _unpacked(file: Path, data: Path) -> Mapping[str, Any]:
    """The archive's parts; the database lies in `hub.db.restored`. Raises Invalid (`bad_backup`)."""
    fresh = data / "hub.db.restored"
    keys: dict[str, bytes] = {}
    manifest: dict[str, Any] | None = None
    notes = b""
    found = False
    try:
        with tarfile.open(file, mode="r:") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isreg() and member.name in _MEMBERS else None
                if stream is None:
                    raise Invalid("bad_backup", f"{file} is no backup: it holds {member.name[:80]!r}")
                if member.name == "hub.db":
                    found = _write(fresh, stream)
                elif member.name == "manifest.json":
                    manifest = json.loads(stream.read(1_000_000))
                elif member.name == "checkpoints.log":
                    notes = stream.read()
                else:
                    keys[Path(member.name).stem] = stream.read(4096)
    except (OSError, tarfile.TarError, ValueError) as error:
        raise Invalid("bad_backup", f"{file} cannot be read as a backup: {error}") from None
    if not found or not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Invalid("bad_backup", f"{file} is no backup of this version")
    return {"manifest": manifest, "notes": notes, "keys": keys}


def _write(path: Path, stream: Any) -> bool:
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as out:
        while block := stream.read(1 << 20):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return True


def _signing_key(settings: Settings, keys: Mapping[str, bytes], manifest: Mapping[str, Any]) -> SigningKey:
    """The key of the log that is restored: from the data directory, else from the backup."""
    text = read_key(settings.data, "checkpoint") or keys.get("checkpoint")
    if text is None:
        raise Conflict(
            "no_key",
            f"the backup was made without keys, and {key_file(settings.data, 'checkpoint')} is missing; put the keys back",
        )
    key = SigningKey.parse(text.decode())
    if manifest.get("checkpoint"):
        open_checkpoint(str(manifest["checkpoint"]), [key.verifier])
    for name, content in keys.items():
        if read_key(settings.data, name) is None:
            make_key(settings.data, name, content)
    return key


def _verify(settings: Settings, database: Path, key: VerifierKey, notes: bytes) -> None:
    """The restored log is intact by itself. Raises Invalid (`not_intact`)."""
    from core.audit.anchors import split_notes
    from core.store.sqlite import SqliteReader

    held = [Held(source="the backup", note=note) for note in split_notes(notes.decode(errors="replace"))]
    reader = SqliteReader(database, SystemClock().wall_us)
    try:
        size = _stored_size(database)[1]
        within = [each for each in held if Checkpoint.parse(_text(each.note)).size <= size]
        verdict = verify_stored(reader, keys=[key], held=within)
    finally:
        reader.close()
    if not verdict.intact:
        raise Invalid("not_intact", "the backup was changed:\n" + "\n".join(verdict.lines()))


def _text(note: str) -> str:
    from core.audit.note import Note

    return Note.parse(note).text


def _put_in_place(data: Path, fresh: Path, content: Mapping[str, Any]) -> Path | None:
    """The restored database is hub.db; where the one before it went."""
    target, aside = data / "hub.db", None
    if target.exists():
        aside = data / f"hub.db.before-{int(time.time())}"
        for suffix in ("", "-wal", "-shm"):
            old = Path(f"{target}{suffix}")
            if old.exists():
                old.rename(f"{aside}{suffix}")
    for suffix in ("-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    fresh.rename(target)
    notes = data / "checkpoints.log"
    if not notes.exists() and content["notes"]:
        notes.touch(mode=0o600)
        notes.write_bytes(content["notes"])
    return aside


def _record(settings: Settings, key: SigningKey, *, kept: int, lost: int) -> None:
    """The log tells of the restore, in a statement that its key signed."""
    db = open_database(settings, SystemClock())
    open_keys(settings, db)
    statement = Loss(origin=db.log.origin, kept=kept, lost=lost).signed(key)
    details = {"kept": kept, "lost": lost, "statement": statement}

    def restored(tx: Tx) -> None:
        tx.record("log:restored", actor=OPERATOR.id, channel="cli", details=details)

    db.open()
    try:
        db.write_now(restored)
    finally:
        db.close()
