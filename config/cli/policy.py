"""`policy test` and `policy backtest`: try a rule before it bites."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, ConfigPath, DataPath, settings
from config.cli.output import answer, progress

if TYPE_CHECKING:
    from config.backtest import Backtest

app = typer.Typer(help="Try policies before they are in force.", no_args_is_help=True)

_SHOWN = 20
_TELL_SECONDS = 2.0


@app.command("test")
def try_cases(
    cases: Annotated[Path, typer.Argument(help="A YAML file of cases; docs/approvals.md shows one.")],
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Say whether the policies do what the cases expect; exit 1 when one does not."""
    from config.hub import read_config
    from config.policy_cases import load_cases, run

    if not cases.is_file():
        raise Failure("no_file", f"there is no {cases}", Exit.USAGE)
    given, source = load_cases(cases)
    outcomes = list(run(given, source, read_config(settings(config=config)).world))
    lines: list[str] = []
    for each in outcomes:
        lines.append(f"{'FAIL' if each.wrong else 'ok  '}  {each.name}")
        lines += [f"      {each.file}:{each.line}: {why}" for why in each.wrong]
    failed = sum(bool(each.wrong) for each in outcomes)
    lines.append(f"{len(outcomes)} cases, {failed} failed" if failed else f"{len(outcomes)} cases, all as expected")
    data = [
        {"name": e.name, "ok": not e.wrong, "file": e.file, "line": e.line, "wrong": list(e.wrong)} for e in outcomes
    ]
    answer("\n".join(lines), {"ok": not failed, "cases": data}, as_json=as_json)
    if failed:
        raise typer.Exit(Exit.PROBLEM)


@app.command()
def backtest(
    new: Annotated[Path, typer.Argument(help="The hub.yaml to try.")],
    since: Annotated[str | None, typer.Option(help="Only requests of that time, like 30d.")] = None,
    config: ConfigPath = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Replay the recorded requests under another hub.yaml: which would be treated otherwise, who would be asked more."""
    from dataclasses import replace

    from config.backtest import backtest as replay
    from config.hub import read_config
    from config.verifying import reading
    from core.clock import SECOND, SystemClock, parse_duration

    chosen = settings(config=config, data=data)
    after = read_config(replace(chosen, config=new)).world
    before = read_config(chosen).world
    start = SystemClock().wall_us() - int(parse_duration(since) * SECOND) if since else 0
    with reading(chosen) as reader:
        found = replay(reader, before, after, since_us=start, progress=_told())
    answer("\n".join(_lines(found)), _as_json(found), as_json=as_json)


def _told() -> Callable[[int, int], None]:
    """What tells on stderr how far a long log has been gone through, once in a while."""
    last = time.monotonic()

    def tell(done: int, size: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _TELL_SECONDS:
            last = time.monotonic()
            progress(f"{done:,} of {size:,} entries")

    return tell


def _lines(found: Backtest) -> list[str]:
    lines = [f"{found.changed} of {found.replayed} requests would be treated otherwise"]
    lines += [
        f"  {e.approval}  {e.action} by {e.by}, {e.at[:16]}: {e.before} → {e.after}" for e in found.listed[:_SHOWN]
    ]
    if found.changed > _SHOWN:
        lines.append(f"  … and {found.changed - _SHOWN} more; --json lists up to 10,000")
    for group, was, now in found.groups:
        lines.append(f"  group {group} is asked for {now} requests, not {was} ({now - was:+})")
    lines += [f"  {person} could be asked {now} times, not {was} ({now - was:+})" for person, was, now in found.people]
    if found.before.nobody != found.after.nobody:
        lines.append(f"  allowed with nobody asked: {found.after.nobody}, not {found.before.nobody}")
    if found.before.glass or found.after.glass:
        lines.append(f"  run by break-glass: {found.after.glass}, not {found.before.glass}")
    if found.granted:
        lines.append(
            f"  {found.granted} had been approved by a grant; a policy that changes ends it, and people are asked"
        )
    return lines + [f"  {count} not replayed: {why}" for why, count in sorted(found.skipped.items())]


def _as_json(found: Backtest) -> dict[str, Any]:
    def rows(kind: str, given: list[tuple[str, int, int]]) -> list[dict[str, Any]]:
        return [{kind: name, "before": was, "after": now} for name, was, now in given]

    return {
        "replayed": found.replayed,
        "changed_count": found.changed,
        "changed": [asdict(each) for each in found.listed],
        "asked": rows("person", found.people),
        "groups": rows("group", found.groups),
        "allowed": {"before": found.before.nobody, "after": found.after.nobody},
        "break_glass": {"before": found.before.glass, "after": found.after.glass},
        "granted": found.granted,
        "skipped": dict(found.skipped),
    }
