"""Every verb that this hub knows, ours and strangers' alike, from the entry-point group `interlock.commands`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points

from commands.helping import help_verb
from commands.verb import Permission, Verb

GROUP = "interlock.commands"


class Registry:
    """Verbs by name. Raises ValueError at construction for one that states no permission, does nothing, or is given twice."""

    def __init__(self, verbs: Iterable[Verb]) -> None:
        self._verbs: dict[str, Verb] = {}
        for verb in verbs:
            if not isinstance(verb.permission, Permission):
                raise ValueError(f"the verb {verb.name!r} states no permission")
            if (verb.run is None) == (verb.look is None):
                raise ValueError(f"the verb {verb.name!r} needs either run or look")
            if verb.name in self._verbs:
                raise ValueError(f"the verb {verb.name!r} is registered twice")
            self._verbs[verb.name] = verb

    @classmethod
    def installed(cls) -> Registry:
        """The verbs of every installed command family."""
        families = sorted(entry_points(group=GROUP), key=lambda point: point.name)
        verbs = [verb for family in families for verb in family.load()]
        return cls([*verbs, help_verb(verbs)])

    def __iter__(self) -> Iterator[Verb]:
        return iter(self._verbs.values())

    def find(self, name: str) -> Verb | None:
        """The verb of that name, or None."""
        return self._verbs.get(name)
