"""Free text as a proposal: certain, or nothing."""

from __future__ import annotations

import pytest

from commands.guessing import guess
from core.apply.action import Action, CommandSpec, Param

DEPLOY = Action(
    name="deploy",
    title="Deploy {service} {version} to {env}",
    params=(
        Param(name="service", pattern="[a-z][a-z0-9-]{1,40}"),
        Param(name="version", pattern=r"v?\d+\.\d+\.\d+"),
        Param(name="env", enum=("staging", "prod")),
    ),
    apply=CommandSpec(argv=("true",)),
)
RESTART = Action(
    name="restart-host",
    title="Restart {host}",
    params=(Param(name="host", pattern="[a-z]+[0-9]+"),),
    apply=CommandSpec(argv=("true",)),
)
SECRET = Action(
    name="login", title="Log in", params=(Param(name="password", secret=True),), apply=CommandSpec(argv=("true",))
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("please deploy v1.2.3 of web to prod, thanks", "deploy service=web version=v1.2.3 env=prod"),
        ("deploy web v1.2.3 prod", "deploy service=web version=v1.2.3 env=prod"),
        ("Could you restart db7 please?", "restart-host host=db7"),
        ("restart-host db7.", "restart-host host=db7"),
        ("log in with hunter2", None),
        ("deploy something", None),
        ("hello there", None),
        ("", None),
    ],
)
def test_what_is_certain_is_proposed_and_nothing_else(text: str, line: str | None) -> None:
    assert guess(text, [DEPLOY, RESTART, SECRET]) == line


def test_two_meanings_are_none() -> None:
    assert guess("deploy web v1.2.3 prod, and restart db7", [DEPLOY, RESTART]) is None
