from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from core.policy.seating import reachable, seat

PLACES = st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.integers(0, 2), unique=True, max_size=3), max_size=7)
COUNTS = st.lists(st.integers(0, 3), min_size=3, max_size=3)


def most(places: dict[str, list[int]], counts: list[int]) -> int:
    """The most seats that can be filled, by trying every way."""
    best = 0
    for choice in product(*([None, *kinds] for kinds in places.values())):
        if all(choice.count(kind) <= counts[kind] for kind in range(len(counts))):
            best = max(best, sum(kind is not None for kind in choice))
    return best


@given(PLACES, COUNTS)
def test_as_many_seats_are_filled_as_any_arrangement_could(places: dict[str, list[int]], counts: list[int]) -> None:
    seated = seat(places, counts)

    people = [person for each in seated for person in each]
    assert len(people) == len(set(people)) == most(places, counts)
    assert all(len(each) <= counts[kind] for kind, each in enumerate(seated))
    assert all(kind in places[person] for kind, each in enumerate(seated) for person in each)


@given(PLACES, COUNTS)
def test_nobody_loses_a_seat_to_somebody_who_comes_later(places: dict[str, list[int]], counts: list[int]) -> None:
    seated: set[str] = set()
    for shown in range(len(places) + 1):
        first = dict(list(places.items())[:shown])
        now = {person for each in seat(first, counts) for person in each}
        assert seated <= now
        seated = now


def test_somebody_moves_to_make_room() -> None:
    assert seat({"bo": [0, 1], "ana": [0]}, [1, 1]) == [["ana"], ["bo"]]


@given(PLACES, COUNTS, st.lists(st.integers(0, 2), unique=True, max_size=3))
def test_one_more_person_sits_exactly_where_a_seat_can_be_reached(
    places: dict[str, list[int]], counts: list[int], kinds: list[int]
) -> None:
    sitting = [person for each in seat(places, counts) for person in each]
    open_to = reachable(places, counts, seat(places, counts))

    more = most({**places, "z": kinds}, counts) > len(sitting)
    assert more == bool(open_to & set(kinds))
