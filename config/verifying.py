"""Verifying and exporting the log of a data directory, while its hub runs or not. Nothing is written to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.datadir import read_key
from config.hub import read_config
from config.settings import Settings
from core.audit.anchors import is_outside, parse_anchor, read_notes
from core.audit.export import export_lines, verify_export
from core.audit.judge import Held
from core.audit.keys import SigningKey, VerifierKey
from core.audit.note import Checkpoint, Note
from core.audit.state_match import match_state
from core.audit.stored import StoredLog, verify_stored
from core.audit.verdict import Finding, Verdict
from core.errors import Invalid, NotFound, Refusal, StoreError
from core.store.rows import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Both verdicts, and what was asked of whom."""

    log: Verdict
    state: tuple[Finding, ...] | None
    """None where there are no tables to compare: an export."""
    outside: tuple[str, ...] = ()
    """Files of checkpoints held outside the data directory."""
    notes: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing was found in either."""
        return self.log.intact and not self.state

    def lines(self) -> list[str]:
        """Both verdicts for a person."""
        lines = self.log.lines()
        if self.state is not None:
            lines.append(
                "The state tables match the log."
                if not self.state
                else f"THE STATE TABLES DO NOT MATCH THE LOG: {len(self.state)} differences."
            )
            lines += [f"  {finding.kind}: {finding.message}" for finding in self.state]
        if self.outside:
            lines.append(f"Checkpoints from: {', '.join(self.outside)}")
        return [*lines, *self.notes]

    def to_json(self) -> dict[str, Any]:
        """Both verdicts for a program."""
        return {
            "ok": self.good,
            "log": self.log.to_json(),
            "state": None
            if self.state is None
            else {"matches": not self.state, "findings": [finding.message for finding in self.state]},
            "outside": list(self.outside),
        }


def verify_data(settings: Settings, *, keys: Sequence[str], checkpoints: Sequence[Path]) -> Report:
    """The report on the data directory's log. Without `keys` the hub's own is believed, which proves less."""
    given = [_given_key(text) for text in keys]
    anchors, notes = _anchors(settings)
    outside = [*_held(checkpoints), *anchors]
    beside = settings.data / "checkpoints.log"
    held = [Held(source=str(beside), note=note) for note in read_notes(beside)] if _has_notes(beside) else []
    believed = given or [verifier_key(settings)]
    if not given:
        notes.append("The key is the data directory's own; give --key to check against one that you kept.")
    with reading(settings) as reader:
        verdict = verify_stored(reader, keys=believed, held=held, outside=outside)
        state = match_state(reader)
    sources = tuple(dict.fromkeys(each.source for each in outside))
    return Report(log=verdict, state=state, outside=sources, notes=tuple(notes))


def verify_file(settings: Settings, file: Path, *, keys: Sequence[str], checkpoints: Sequence[Path]) -> Report:
    """The report on an export. Raises Invalid (`bad_export`)."""
    outside = _held(checkpoints)
    believed = [_given_key(text) for text in keys] or [verifier_key(settings)]
    verdict = verify_export(file, keys=believed, outside=outside)
    return Report(log=verdict, state=None, outside=tuple(dict.fromkeys(each.source for each in outside)))


def export_to(settings: Settings, file: Path, *, values: bool) -> int:
    """`file` is a new export up to the newest checkpoint; how many entries it holds."""
    with reading(settings) as reader:
        log = StoredLog(reader)
        checkpoints = log.checkpoints()
        if not checkpoints:
            raise NotFound("no_checkpoint", "the log has no checkpoint yet; run: interlock audit checkpoint")
        newest = checkpoints[-1].note
        with file.open("xb") as stream:
            for line in export_lines(log.rows(), log.values() if values else None, checkpoint=newest):
                stream.write(line)
    return Checkpoint.parse(Note.parse(newest).text).size


def verifier_key(settings: Settings) -> VerifierKey:
    """The public half of the data directory's own signing key. Raises NotFound (`no_key`)."""
    text = read_key(settings.data, "checkpoint")
    if text is None:
        raise NotFound("no_key", f"there is no signing key below {settings.data}; has a hub ever run there?")
    return SigningKey.parse(text.decode()).verifier


@contextmanager
def reading(settings: Settings) -> Iterator[Reader]:
    """A read-only connection to the database. Raises StoreError when there is none."""
    if settings.database_url is not None:
        from core.store.postgres import PostgresReader

        connection: Any = PostgresReader(settings.database_url)
    else:
        from core.clock import SystemClock
        from core.store.sqlite import SqliteReader

        if not (settings.data / "hub.db").is_file():
            raise StoreError(f"there is no database in {settings.data}; name the data directory with --data")
        connection = SqliteReader(settings.data / "hub.db", SystemClock().wall_us)
    try:
        yield connection
    finally:
        connection.close()


def _given_key(text: str) -> VerifierKey:
    path = Path(text)
    try:
        return VerifierKey.parse(path.read_text().strip() if path.is_file() else text)
    except UnicodeDecodeError:
        raise Invalid("bad_key", f"{path} holds no verifier key") from None


def _held(files: Sequence[Path]) -> list[Held]:
    return [Held(source=str(file), note=note) for file in files for note in read_notes(file)]


def _has_notes(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _anchors(settings: Settings) -> tuple[list[Held], list[str]]:
    """The checkpoints of the configured anchors outside the data directory, and what could not be read."""
    try:
        world = read_config(settings).world
    except Refusal:
        return [], [f"{settings.config} cannot be read, so its anchors were not used; give --checkpoint FILE"]
    held: list[Held] = []
    notes: list[str] = []
    for text in world.anchors:
        path = parse_anchor(text, root=world.root)
        if not is_outside(path, settings.data):
            notes.append(f"The anchor {path} lies inside the data directory and proves nothing.")
        elif _has_notes(path):
            found = read_notes(path)
            # Notes of other logs alone mean that this log is not the one that was anchored: all of them are held against it.
            ours = [note for note in found if _is_ours(note, settings)] or found
            held += [Held(source=str(path), note=note) for note in ours]
            if len(ours) < len(found):
                notes.append(f"The anchor {path} also holds {len(found) - len(ours)} checkpoints of other logs.")
        else:
            notes.append(f"The anchor {path} holds no checkpoint.")
    return held, notes


def _is_ours(note: str, settings: Settings) -> bool:
    """Whether a note in an anchor that several hubs share is of this log."""
    try:
        origin = Checkpoint.parse(Note.parse(note).text).origin
    except Invalid:
        return True
    return origin == verifier_key(settings).name
