"""The table of refusals is sound as data; what each row does is shown with ``oauth_errors``."""

from __future__ import annotations

import pytest

from proxy.errors import ExchangeError, StepUpRequired, SubjectTokenError
from proxy.exchange.okta_refusals import REFUSALS, Refusal

ROWS = [pytest.param(place, row, id=f"{row.error}-{row.says}") for place, row in enumerate(REFUSALS)]


@pytest.mark.parametrize(("place", "row"), ROWS)
def test_no_row_stands_behind_one_that_takes_its_place(place: int, row: Refusal):
    """X-20: the most telling first, or it would never be found; texts are compared in lower case."""
    assert row.says == row.says.lower()
    earlier = [one for one in REFUSALS[:place] if one.error == row.error]
    assert [one.says for one in earlier if one.says in row.says] == []


@pytest.mark.parametrize(("place", "row"), ROWS)
def test_what_is_remembered_says_for_whom(place: int, row: Refusal):
    """C-18: a time and a key go together, and only our own fault closes a route."""
    assert (row.remember_for > 0) == (row.remember_by is not None)
    if row.remember_by == "route":
        assert issubclass(row.answer, ExchangeError)
        assert row.remedy, "somebody has to mend it"


@pytest.mark.parametrize(("place", "row"), ROWS)
def test_our_client_is_never_the_users_fault(place: int, row: Refusal):
    """X-20: a 401 would send users into a login loop."""
    if row.error in {"invalid_client", "unauthorized_client", "invalid_scope", "invalid_target"}:
        assert not issubclass(row.answer, SubjectTokenError)
    if issubclass(row.answer, StepUpRequired):
        assert row.remember_by is None, "the user may be back at once"
