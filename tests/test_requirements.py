"""Every requirement that a release needs has a test that shows it; ``python -m tests.requirements`` lists them."""

from __future__ import annotations

from collections import Counter

from .requirements import REQUIREMENTS, find_mentions, find_tests


def test_every_requirement_is_shown():
    """What blocks a release, and what it needs, is named by at least one test."""
    held = {one.code for one in REQUIREMENTS if one.weight in ("blocking", "needed")}
    assert not held - set(find_tests())


def test_each_code_is_in_the_table():
    """A code that stands in the program or in a test says there what it means."""
    known = {one.code for one in REQUIREMENTS}
    assert {code: files for code, files in find_mentions().items() if code not in known} == {}


def test_the_table_is_well_formed():
    """Each code stands once, in order within its area, with one of three weights."""
    codes = [one.code for one in REQUIREMENTS]
    assert [code for code, count in Counter(codes).items() if count > 1] == []
    assert codes == sorted(codes, key=lambda code: ("AKXDCHFO".index(code[0]), code))
    assert {one.weight for one in REQUIREMENTS} == {"blocking", "needed", "wished"}
