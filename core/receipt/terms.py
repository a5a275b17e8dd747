"""The policy that a bound request was decided under, read back from what the digest covers. Pure.

The bound request holds the definitions of its policy and of its action as canonical JSON, without what is as by
default. Every member must be one that is known here: a rule that this version does not know might ask for more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.audit.canonical import parse
from core.people.assurance import Assurance
from core.policy.policy import BreakGlass, Policy, Requirement
from core.receipt.refusing import bad

_COUNTED = frozenset(
    {"require", "allow", "distinct_people", "min_assurance", "confirm", "delegation", "reject", "veto", "break_glass"}
)
_NOT_COUNTED = frozenset(
    {
        *("name", "when", "review_expires", "apply_expires", "rollback", "remind", "short_replies", "hours"),
        *("escalate", "ask", "grants"),
    }
)
KNOWN = _COUNTED | _NOT_COUNTED
"""The members of a policy's definition; all of them, so that a new one is thought about here."""


def terms(bound: Mapping[str, Any]) -> tuple[Policy, frozenset[str]]:
    """The policy as it is counted, with the seats that the action adds, and the groups that may know of the action.

    Raises Invalid (`bad_receipt`) for a definition that cannot be read, or says what is not known here.
    """
    policy = bound.get("policy")
    rule = _definition(policy.get("definition") if isinstance(policy, Mapping) else None, "policy")
    if unknown := sorted(rule.keys() - KNOWN):
        raise bad(f"its policy says {unknown[0]!r}, which this version cannot count; use a newer interlock")
    action = _definition(bound.get("definition"), "action")
    try:
        reviewers = _requirements(action.get("reviewers", ()))
        found = Policy(
            name=str(rule["name"]),
            require=(*_requirements(rule.get("require", ())), *reviewers),
            allow=rule.get("allow", False) is True and not reviewers,
            distinct_people=_count(rule["distinct_people"]) if rule.get("distinct_people") is not None else None,
            min_assurance=Assurance.parse(rule.get("min_assurance", "chat")),
            confirm=_confirm(rule.get("confirm", "press")),
            delegation=_delegation(rule.get("delegation", "any")),
            reject=_count(rule.get("reject", 1)),
            veto=_names(rule.get("veto", ())),
            break_glass=_break_glass(rule["break_glass"]) if rule.get("break_glass") is not None else None,
        )
        return found, frozenset(_names(action.get("visible_to", ())))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise bad("its policy or action is not defined as one is") from None


def _definition(text: object, what: str) -> Mapping[str, Any]:
    value = parse(text.encode()) if isinstance(text, str) else None
    if not isinstance(value, dict):
        raise bad(f"the bound request has no definition of its {what}")
    return value


def _requirements(given: Any) -> tuple[Requirement, ...]:
    found = []
    for each in given:
        group, person = each.get("group"), each.get("person")
        named = group if person is None else person
        if (
            (group is None) == (person is None)
            or not isinstance(named, str)
            or each.keys() - {"group", "person", "count"}
        ):
            raise ValueError
        found.append(Requirement(group=group, person=person, count=_count(each.get("count", 1))))
    return tuple(found)


def _break_glass(given: Any) -> BreakGlass:
    return BreakGlass(groups=_names(given["groups"]))


def _delegation(word: Any) -> Any:
    if word not in ("any", "members", "none"):
        raise ValueError
    return word


def _confirm(word: Any) -> Any:
    if word not in ("press", "typed"):
        raise ValueError
    return word


def _names(given: Any) -> tuple[str, ...]:
    if not all(isinstance(each, str) for each in given):
        raise ValueError
    return tuple(given)


def _count(number: Any) -> int:
    if type(number) is not int or number < 1:
        raise ValueError
    return number
