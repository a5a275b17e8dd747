"""What a receipt proves, in words, for a person."""

from __future__ import annotations

from core.receipt.conclusion import Conclusion
from core.receipt.decided import Decided


def lines(found: Conclusion) -> list[str]:
    """The conclusion, line by line."""
    told = [
        f"{found.approval}: {found.action}, asked for by {found.requester}, under policy {found.policy}",
        f"  digest   {found.digest}",
        f"  approved {found.approved_at}",
    ]
    told += [f"  by       {_said(each)}" for each in found.decisions]
    if found.used is not None:
        use = f"use {found.used.number} of {found.used.times}"
        told.append(f"  grant    {found.used.grant}, {use}, chosen by them on {found.used.chosen_on}")
    if found.ground == "glass":
        told.append(f"  by       NOBODY: {found.requester} ran it by break-glass")
        told.append(f"  review   {_reviewed(found.review)}")
    elif not found.decisions:
        told.append("  by       nobody: the policy allows it")
    told += [f"  against  {_said(each)}" for each in found.against]
    told += [
        f"  {run.kind:<8} {run.run}, token {run.token}, began {run.started_at}, {run.ended or 'end unknown'}"
        for run in found.runs
    ]
    told.append(f"  proved by {found.entries} entries in a log of {found.tree_size}, origin {found.origin}")
    told.append("  the hub's word: that nothing is left out, and who was in which group")
    told.append("  not proved: what happened after that checkpoint")
    return told


def _reviewed(review: Decided | None) -> str:
    return f"{review.verdict}, by {_said(review)}" if review is not None else "not given before this checkpoint"


def _said(each: Decided) -> str:
    whom = f" for {each.on_behalf_of}" if each.on_behalf_of else ""
    proof = ", ".join(f"{key} {value}" for key, value in sorted(each.evidence.items())) or "no evidence recorded"
    return f"{each.by}{whom} in {each.channel} ({each.assurance}; {proof}), entry {each.seq}"
