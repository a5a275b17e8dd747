"""`interlock`: every command, and the one place that turns whatever went wrong into words and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer

from config.cli import asking, auditing, deciding, keys, leasing, mcp, policy, receipts, setup, slack, triggers, up
from config.cli.exits import Exit, Failure
from config.cli.output import complain

_HELP = "A command hub: people and agents ask, other people decide, the operation runs once, anybody verifies the log."

app = typer.Typer(
    name="interlock",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COMMANDS: tuple[Callable[..., None], ...] = (
    *(up.up, setup.init, setup.check, setup.schema, setup.reload, setup.doctor, setup.migrate),
    *(setup.backup, setup.restore, asking.say, asking.ask),
    *(deciding.show, deciding.approve, deciding.reject, deciding.queue, deciding.who, deciding.stop, deciding.resume),
)
for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(leasing.app, name="lease")
app.add_typer(auditing.app, name="audit")
app.add_typer(keys.app, name="key")
app.add_typer(policy.app, name="policy")
app.add_typer(slack.app, name="slack")
app.add_typer(triggers.app, name="trigger")
app.command("receipt")(receipts.receipt)
app.command("verify-receipt")(receipts.verify_receipt)
app.command("mcp")(mcp.mcp)
app.command("login-link")(keys.login_link)


def main() -> None:
    """Run one command and exit with its code. No traceback ever reaches whoever typed it."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of one command."""
    as_json = "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)
    try:
        app(arguments, standalone_mode=True)
    except SystemExit as end:
        return _code(end.code)
    except Failure as failure:
        complain(failure, as_json=as_json)
        return failure.exit
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141
    except Exception as error:
        complain(_explained(error), as_json=as_json)
        return _explained(error).exit
    return Exit.DONE


def _explained(error: Exception) -> Failure:
    """The words for what was raised: ours are written for people, others are named."""
    from core.errors import Invalid, Refusal, StoreError

    if isinstance(error, Refusal):
        exit = Exit.USAGE if isinstance(error, Invalid) else Exit.REFUSED
        return Failure(error.code, error.message, exit, data=error.data)
    if isinstance(error, StoreError):
        return Failure("store_failed", str(error), Exit.PROBLEM)
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        return Failure("os_error", f"{named}{error.strerror or error}", Exit.PROBLEM)
    return Failure(
        "bug",
        f"something went wrong inside interlock ({type(error).__name__}: {error}); please report it",
        Exit.PROBLEM,
    )


def _code(code: Any) -> int:
    return code if isinstance(code, int) else Exit.DONE if code is None else Exit.PROBLEM


if __name__ == "__main__":
    main()
