"""The grammar of resources, and when two conflict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.leases.resource import MAX_RESOURCES, ancestors, check, check_all, conflict, footprint, overlap

names = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map(lambda parts: f"r:{'/'.join(parts)}")


@pytest.mark.parametrize(
    "resource", ["env:prod", "task:T-100", "repo:web/src", "x_y-1:A.b@c+d", "repo:a/b/c/d", "k:" + "n" * 128]
)
def test_well_formed_names_pass_as_they_are(resource: str) -> None:
    assert check(resource) == resource


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        ("prod", "has no kind"),
        ("", "has no kind"),
        (":prod", "the kind"),
        ("Env:prod", "the kind"),
        ("1env:prod", "the kind"),
        ("env:", "empty part"),
        ("env:/prod", "empty part"),
        ("env:prod/", "empty part"),
        ("env:a//b", "empty part"),
        ("env:a/../b", "neither . nor .."),
        ("env:a b", "may hold"),
        ("env:prod\n", "may hold"),
        ("env:pr\u00f6d", "may hold"),
        ("env:a:b", "may hold"),
        ("env:a%", "may hold"),
        ("env:" + "/".join("a" * 17), "deeper than 16"),
        ("env:" + "a" * 300, "longer than 255"),
        ("env:" + "a" * 129, "128 at most"),
    ],
)
def test_anything_else_is_refused_and_says_why(resource: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        check(resource)
    assert refused.value.code == "bad_resource"


def test_a_request_names_each_resource_once_and_some() -> None:
    assert check_all(["env:b", "env:a", "env:b"]) == ("env:a", "env:b")
    with pytest.raises(Invalid):
        check_all([])
    with pytest.raises(Invalid):
        check_all(f"env:{n}" for n in range(MAX_RESOURCES + 1))


def test_ancestors_are_whole_segments_nearest_last() -> None:
    assert ancestors("repo:a/b/c") == ("repo:a", "repo:a/b")
    assert ancestors("repo:a") == ()


@given(one=names, other=names)
def test_conflict_is_the_same_both_ways_and_means_same_above_or_below(one: str, other: str) -> None:
    assert conflict(one, other) == conflict(other, one)
    assert conflict(one, other) == (one == other or one in ancestors(other) or other in ancestors(one))


@given(some=st.lists(names, min_size=1, max_size=4), others=st.lists(names, min_size=1, max_size=4))
def test_footprints_meet_exactly_where_sets_overlap(some: list[str], others: list[str]) -> None:
    mine, theirs = footprint(some), footprint(others)
    meet = any(mine[name] or theirs[name] for name in mine.keys() & theirs.keys())
    assert meet == overlap(some, others)
