"""GCRA: a burst at once, then the rate; refusals cost nothing; the table stays bounded."""

from hypothesis import given
from hypothesis import strategies as st

from hub.limits import Limiter


def test_a_burst_passes_and_then_the_rate() -> None:
    limiter = Limiter()
    assert [limiter.take("ana", 2.0, 3, 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert limiter.take("ana", 2.0, 3, 0.5) == 0.0
    assert limiter.take("ana", 2.0, 3, 0.5) == 0.5


def test_a_refused_request_costs_nothing() -> None:
    limiter = Limiter()
    limiter.take("ana", 1.0, 1, 0.0)
    for _ in range(100):
        assert limiter.take("ana", 1.0, 1, 0.5) == 0.5
    assert limiter.take("ana", 1.0, 1, 1.0) == 0.0


def test_one_is_not_slowed_by_another() -> None:
    limiter = Limiter()
    limiter.take("ana", 1.0, 1, 0.0)
    assert limiter.take("bo", 1.0, 1, 0.0) == 0.0


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=200),
)
def test_never_more_than_burst_and_rate_allow(rate: float, burst: int, gaps: list[float]) -> None:
    limiter, now, passed = Limiter(), 0.0, 0
    for gap in gaps:
        now += gap
        passed += limiter.take("ana", rate, burst, now) == 0.0
        assert passed <= burst + rate * now + 1e-6


@given(rate=st.floats(0.1, 100), burst=st.integers(1, 50))
def test_after_the_wait_it_fits(rate: float, burst: int) -> None:
    limiter = Limiter()
    while not (wait := limiter.take("ana", rate, burst, 0.0)):
        pass
    assert limiter.take("ana", rate, burst, wait) == 0.0


def test_a_full_table_of_debtors_refuses_newcomers_and_recovers() -> None:
    limiter = Limiter(keys=10)
    for at in range(10):
        limiter.take(f"k{at}", 1.0, 1, 0.0)
    assert limiter.take("new", 1.0, 1, 0.0) == 1.0
    assert limiter.take("k0", 1.0, 1, 0.5) == 0.5
    assert limiter.take("new", 1.0, 1, 2.0) == 0.0
    assert len(limiter) == 1
