"""Options of detectors elsewhere, from the schema that their service tells."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field

from delineate import Options, Reference
from delineate.detectors.cards.remote_options import options_of, told_options
from delineate.errors import ModelError, OptionError
from delineate.plugins import DetectorSpec, registry
from delineate.plugins.options import parse


class Many(Options):
    """Options of every kind."""

    share: float = Field(0.5, gt=0, lt=1, description="A share.")
    count: int = Field(3, ge=1, le=9)
    whole: bool = False
    kind: Literal["quick", "exact"] = "quick"
    name: str = Field("", max_length=4)
    only: tuple[str, ...] = ()
    steps: tuple[float, float, float] | None = None
    few: list[int] = Field(default_factory=list, max_length=2)


def spec(options: type[Options]) -> DetectorSpec:
    return DetectorSpec(id="a.b", title="t", factory="a:B", options=options)


def test_the_schema_of_the_options_is_the_one_that_was_told() -> None:
    schema = Many.model_json_schema()

    made = options_of("far.away-2", schema).model_json_schema()

    few = made["properties"].pop("few")  # whose default is made by a function, and not told
    assert few["anyOf"][0]["maxItems"] == 2
    schema["properties"].pop("few")
    assert made["properties"] == schema["properties"]
    assert (made["additionalProperties"], made["description"]) == (False, schema["description"])


@pytest.mark.parametrize(
    "values",
    [
        {"share": "0.25", "count": 4, "kind": "exact", "only": "a,b", "steps": "1,2,3"},
        {"whole": "yes", "few": [1, 2], "steps": None},
        {},
    ],
)
def test_values_are_read_here_as_they_are_there(values: dict[str, Any]) -> None:
    there, here = spec(Many), spec(options_of("far", Many.model_json_schema()))

    told = told_options(parse(here, values), Many.model_json_schema())

    expected = parse(there, values)
    assert there.options(**told) == expected


@pytest.mark.parametrize(
    "values",
    [{"share": 1}, {"count": 0}, {"kind": "x"}, {"name": "fivee"}, {"steps": [1, 2]}, {"z": 1}],
)
def test_what_is_refused_there_is_refused_here(values: dict[str, Any]) -> None:
    for options in (Many, options_of("far", Many.model_json_schema())):
        with pytest.raises(OptionError):
            parse(spec(options), values)


def test_the_options_of_the_detectors_that_are_here_can_be_offered() -> None:
    for each in registry.list_detectors():
        schema = each.options.model_json_schema()
        references = [name for name, one in schema.get("properties", {}).items() if _image(one)]

        made = options_of("far", schema)

        assert set(made.model_fields) == set(each.options.model_fields) - set(references)


def _image(entry: dict[str, Any]) -> bool:
    return any(one.get("format") == "image" for one in (entry, *entry.get("anyOf", ())))


def test_an_image_as_an_option_is_left_out_where_it_may_be() -> None:
    class Compared(Options):
        template: Reference | None = Field(None, description="Another image.")
        share: float = 0.5

    odd = {"properties": {"x": {"enum": [[1], {}], "default": 1}}}

    class Must(Options):
        template: Reference

    assert "x" not in options_of("far", odd).model_fields
    assert set(options_of("far", Compared.model_json_schema()).model_fields) == {"share"}
    with pytest.raises(ModelError, match="must be given the option 'template'"):
        options_of("far", Must.model_json_schema())


@pytest.mark.parametrize(
    "properties",
    [
        {"_hidden": {"type": "string", "default": ""}},
        {"model_dump": {"type": "string", "default": ""}},
        {"x": {"type": "integer", "default": "many"}},
    ],
)
def test_options_that_make_no_sense_are_refused(properties: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="cannot be offered"):
        options_of("far", {"type": "object", "properties": properties})
