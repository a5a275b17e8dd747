"""An agent as a plain loop: decide on the next step, ask people for it, go on with what they said.

Needs INTERLOCK_URL and INTERLOCK_KEY. Run it with the names to touch as its arguments.
"""

import sys

from hub.client import Client, NotCompleted


def next_step(goal: list[str], done: dict[str, str]) -> str | None:
    """What to do next. A model would choose here, and would be told what `done` holds, denials and their reasons too."""
    return next((name for name in goal if name not in done), None)


def main(goal: list[str]) -> dict[str, str]:
    done: dict[str, str] = {}
    with Client() as client:
        while (name := next_step(goal, done)) is not None:
            asked = client.ask("touch", {"name": name}, reason=f"step {len(done) + 1} of {len(goal)}")
            try:
                ended = client.wait(asked, timeout=3600).demand_completed()
                done[name] = f"done: {(ended.output or '').strip()}"
            except NotCompleted as no:  # rejected, expired, failed, unknown: none of these is done
                done[name] = f"not done: {no.message}"
    return done


if __name__ == "__main__":
    for name, outcome in main(sys.argv[1:]).items():
        print(f"{name}: {outcome}")
