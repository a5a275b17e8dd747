"""`receipt` and `verify-receipt`: proof that people approved exactly this, for whoever has no hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, DataPath, settings
from config.cli.output import answer, progress

if TYPE_CHECKING:
    from core.audit.keys import VerifierKey

_MOST_BYTES = 64 << 20


def receipt(
    approval: Annotated[str, typer.Argument(help="Which one, like A142.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; else standard output.")] = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Write the receipt of an approved request: one JSON file that anybody can check without the hub."""
    import orjson

    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        made = client.get(f"/v1/approvals/{approval}/receipt")
    text = orjson.dumps(made, option=orjson.OPT_INDENT_2).decode()
    if output is None:
        answer(text, made, as_json=as_json)
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
    """Check a receipt, with no hub, database or network: 0 verified, 1 does not verify, 2 nothing to check."""
    from dataclasses import asdict

    from core.errors import Invalid
    from core.receipt.receipt import verify
    from core.receipt.words import lines

    keys = [_verifier(each) for each in key]
    given = _given(file)
    try:
        found = verify(given, keys)
    except Invalid as error:
        answer(error.message, {"ok": False, "code": error.code, "message": error.message}, as_json=as_json)
        raise typer.Exit(Exit.PROBLEM) from None
    answer("\n".join(lines(found)), {"ok": True, **asdict(found)}, as_json=as_json)


def _given(file: Path) -> dict[str, Any]:
    """The JSON object in the file. Raises Failure (usage) when there is none to check."""
    import orjson

    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Failure("no_file", f"{file} cannot be read: {error.strerror}", Exit.USAGE) from None
    if len(data) > _MOST_BYTES:
        raise Failure("too_large", f"{file} has more than {_MOST_BYTES >> 20} MB; no receipt does", Exit.USAGE)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict) or "interlock_receipt" not in value:
        raise Failure("no_receipt", f"{file} is no receipt: it is not the JSON that `receipt` writes", Exit.USAGE)
    return value


def _verifier(given: str) -> VerifierKey:
    from core.audit.keys import VerifierKey

    path = Path(given)
    try:
        return VerifierKey.parse(path.read_text() if "+" not in given and path.is_file() else given)
    except (OSError, UnicodeDecodeError):
        raise Failure("bad_key", f"{path} holds no verifier key", Exit.USAGE) from None
