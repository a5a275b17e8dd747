"""`receipt` and `verify-receipt`: proof that people approved exactly this, for whoever has no hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, DataPath, settings
from config.cli.output import answer, progress


def receipt(
    approval: Annotated[str, typer.Argument(help="Which one, like A142.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; else standard output.")] = None,
    data: DataPath = None,
) -> None:
    """Write the receipt of an approved request: one JSON file that anybody can check without the hub."""
    import orjson

    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        made = client.get(f"/v1/approvals/{approval}/receipt")
    text = orjson.dumps(made, option=orjson.OPT_INDENT_2).decode()
    if output is None:
        answer(text, made, as_json=False)
        return
    try:
        with output.open("x") as file:
            file.write(text + "\n")
    except FileExistsError:
        raise Failure("already_there", f"{output} exists; name another file", Exit.USAGE) from None
    progress(f"the receipt of {approval} is in {output}; check it with: interlock verify-receipt {output} --key KEY")


def verify_receipt(
    file: Annotated[Path, typer.Argument(help="What `receipt` wrote.")],
    key: Annotated[
        list[str], typer.Option(help="The hub's verifier key, or a file that holds it (`interlock audit key`).")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a receipt, with no hub, database or network; exit 1 when it proves nothing."""
    from dataclasses import asdict

    import orjson

    from core.audit.keys import VerifierKey
    from core.errors import Invalid
    from core.receipt.receipt import lines, verify

    keys = [VerifierKey.parse(_key_text(each)) for each in key]
    try:
        found = verify(orjson.loads(file.read_bytes()), keys)
    except FileNotFoundError:
        raise Failure("no_file", f"there is no {file}", Exit.USAGE) from None
    except (orjson.JSONDecodeError, Invalid) as error:
        code, message = (
            (error.code, error.message) if isinstance(error, Invalid) else ("bad_receipt", f"{file} is no JSON")
        )
        answer(message, {"ok": False, "code": code, "message": message}, as_json=as_json)
        raise typer.Exit(Exit.PROBLEM) from None
    answer("\n".join(lines(found)), {"ok": True, **asdict(found)}, as_json=as_json)


def _key_text(given: str) -> str:
    path = Path(given)
    return (path.read_text() if "+" not in given and path.is_file() else given).strip()
