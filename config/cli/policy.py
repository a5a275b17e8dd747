"""`policy test` and `policy backtest`: try a rule before it bites."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, ConfigPath, DataPath, settings
from config.cli.output import answer

app = typer.Typer(help="Try policies before they are in force.", no_args_is_help=True)

_SHOWN = 20


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
    from dataclasses import asdict, replace

    from config.backtest import backtest as replay
    from config.hub import read_config
    from config.verifying import reading
    from core.clock import SECOND, SystemClock, parse_duration

    chosen = settings(config=config, data=data)
    after = read_config(replace(chosen, config=new)).world
    before = read_config(chosen).world
    start = SystemClock().wall_us() - int(parse_duration(since) * SECOND) if since else 0
    with reading(chosen) as reader:
        found = replay(reader, before, after, since_us=start)
    lines = [f"{len(found.changed)} of {found.replayed} requests would be treated otherwise"]
    lines += [
        f"  {e.approval}  {e.action} by {e.by}, {e.at[:16]}: {e.before} → {e.after}" for e in found.changed[:_SHOWN]
    ]
    if len(found.changed) > _SHOWN:
        lines.append(f"  … and {len(found.changed) - _SHOWN} more; --json has all of them")
    lines += [f"  {person} could be asked {now} times, not {was}" for person, was, now in found.asks]
    lines += [f"  {count} could not be replayed: {why}" for why, count in sorted(found.skipped.items())]
    answer(
        "\n".join(lines),
        {
            "replayed": found.replayed,
            "changed": [asdict(each) for each in found.changed],
            "asked": [{"person": person, "before": was, "after": now} for person, was, now in found.asks],
            "skipped": dict(found.skipped),
        },
        as_json=as_json,
    )
