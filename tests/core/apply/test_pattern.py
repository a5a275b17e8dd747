import pytest

from core.apply.pattern import check_pattern, matches_whole
from core.errors import Invalid


@pytest.mark.parametrize("pattern", ["(", "a)|(b", r"(a)\1", "(?=a)", "[z-a]", "x" * 600])
def test_a_pattern_that_cannot_be_matched_safely_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_pattern(pattern)

    assert refused.value.code == "bad_pattern"


def test_alternatives_are_matched_whole() -> None:
    check_pattern("a|b")

    assert matches_whole("a|b", "b")
    assert not matches_whole("a|b", "ab")
    assert not matches_whole("^a$", "a\n")
