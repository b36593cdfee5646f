"""Options from a command line, a form or a request."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, field_validator

from delineate.errors import OptionError
from delineate.plugins import DetectorSpec, Options
from delineate.plugins.options import parse


class Many(Options):
    threshold: float = Field(0.5, ge=0, le=1, description="From 0 to 1.")
    count: int = Field(3, ge=1)
    smooth: bool = False
    name: str = "x"
    method: Literal["fast", "best"] = "fast"
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    structures: list[str] = Field(default_factory=list)
    limit: int | None = None

    @field_validator("name")
    @classmethod
    def _no_blank(cls, name: str) -> str:
        if not name:
            raise ValueError("must not be blank")
        return name


SPEC = DetectorSpec(id="many.options", title="Many", factory="m:C", options=Many)
BARE = DetectorSpec(id="bare", title="Bare", factory="m:C")


@given(
    st.builds(
        Many,
        threshold=st.floats(0, 1),
        count=st.integers(1),
        smooth=st.booleans(),
        name=st.text(min_size=1),
        method=st.sampled_from(("fast", "best")),
        spacing=st.tuples(*[st.floats(-1e9, 1e9)] * 3),
        limit=st.none() | st.integers(),
    )
)
@settings(deadline=None, max_examples=50)
def test_values_written_as_json_or_as_text_come_back(options: Many) -> None:
    assert parse(SPEC, options.model_dump(mode="json")) == options

    text = {
        name: ",".join(map(repr, value)) if isinstance(value, tuple) else str(value)
        for name, value in options.model_dump(exclude={"structures", "limit"}).items()
    }
    assert parse(SPEC, {**text, "limit": str(options.limit).replace("None", "null")}) == options


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("threshold", "0.25", 0.25),
        ("threshold", "1e-3", 0.001),
        ("count", "7", 7),
        ("smooth", "yes", True),
        ("smooth", "0", False),
        ("name", "7", "7"),
        ("method", "best", "best"),
        ("spacing", "3, 1.5, 1", (3.0, 1.5, 1.0)),
        ("spacing", "[3, 1.5, 1]", (3.0, 1.5, 1.0)),
        ("structures", "liver,spleen", ["liver", "spleen"]),
        ("structures", '["liver"]', ["liver"]),
        ("limit", "null", None),
        ("limit", "4", 4),
    ],
)
def test_text_is_read_as_the_declared_type(name: str, text: str, value: object) -> None:
    assert getattr(parse(SPEC, {name: text}), name) == value


def test_what_is_not_given_has_its_default() -> None:
    assert parse(SPEC, {}) == Many()


def test_dashes_count_as_underscores() -> None:
    class Dashed(Options):
        min_size: int = 1

    spec = DetectorSpec(id="d", title="D", factory="m:C", options=Dashed)

    assert parse(spec, {"min-size": "5"}) == Dashed(min_size=5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"treshold": "1"}, "many.options has no option 'treshold', did you mean 'threshold'?"),
        ({"zzz": "1"}, "many.options has no option 'zzz'. Known"),
        ({"threshold": "2"}, "option 'threshold' of many.options should be less than or equal to "
         "1, got 2"),
        ({"threshold": "much"}, "should be a valid number, unable to parse string as a number"),
        ({"count": "1.5"}, "option 'count' of many.options should be a valid integer"),
        ({"method": "slow"}, "should be 'fast' or 'best', got 'slow'"),
        ({"name": ""}, "option 'name' of many.options must not be blank, got ''"),
        ({"spacing": "1,2"}, "option 'spacing.2' of many.options must be given"),
        ({"count": "0", "smooth": "perhaps"}, "; option 'smooth'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_is_known(values: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(SPEC, values)

    assert message in str(caught.value)
    assert "Known: threshold (number from 0 to 1, default 0.5), count (integer from 1" in str(
        caught.value
    )
    assert "method ('fast' or 'best', default \"fast\")" in str(caught.value)


def test_a_detector_without_options_says_so() -> None:
    assert parse(BARE, {}) == Options()
    with pytest.raises(OptionError, match=r"bare has no option 'x'\. It has no options"):
        parse(BARE, {"x": "1"})
