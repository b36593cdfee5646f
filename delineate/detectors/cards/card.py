"""What a card may say: one JSON file, strictly read; see docs/cards.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from delineate.detectors.cards.interpretation import OUTPUT_KINDS, InputPart, OutputPart, Part
from delineate.errors import ModelError
from delineate.imaging import Category, Code
from delineate.plugins import OutputKind, Task, Wants
from delineate.plugins.contract import CountError

__all__ = [
    "NAME",
    "SCHEMA",
    "Card",
    "CategoryPart",
    "DelineatePart",
    "File",
    "KservePart",
    "MonaiLabelPart",
    "OnnxPart",
    "RemotePart",
    "parse_card",
    "read_card",
]

NAME = "card.json"
SCHEMA = "delineate/card/1"

_MOST_BYTES = 1 << 20

Text = Annotated[str, StringConstraints(max_length=2000)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", max_length=80)
]
FileName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# What a server's address takes in a path without being quoted.
Model = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=200)]


class CodePart(Part):
    """A coded concept."""

    value: Title
    scheme: Title
    meaning: Title


class CategoryPart(Part):
    """A category; the colour may be left out."""

    name: Title
    colour: Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")] | None = None
    code: CodePart | None = None
    laterality: Literal["left", "right"] | None = None

    @property
    def category(self) -> Category:
        """As the rest of delineate has it."""
        code = None if self.code is None else Code(**self.code.model_dump())
        if self.colour is None:
            return Category(self.name, code=code, laterality=self.laterality)
        red, green, blue = bytes.fromhex(self.colour[1:])
        return Category(self.name, (red, green, blue), code, self.laterality)


class File(Part):
    """A file beside the card."""

    file: FileName
    sha256: Sha256 | None = Field(None, description="Filled in by `delineate cards add`.")


class OnnxPart(File):
    """A network in a file beside the card."""

    external: tuple[File, ...] = ()
    input: InputPart
    output: OutputPart

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [self.file, *(each.file for each in self.external)]
        if len(set(names)) != len(names) or NAME in names:
            raise ValueError(f"expected files with names of their own, none {NAME}, got {names}")
        return self

    @property
    def files(self) -> tuple[File, ...]:
        """The graph, then what it keeps in other files."""
        return (File(file=self.file, sha256=self.sha256), *self.external)


class RemotePart(Part):
    """A server."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$")]
    # A prefix of its own: a card from elsewhere must not have any other secret sent to its author.
    token_env: (
        Annotated[str, StringConstraints(pattern=r"^DELINEATE_TOKEN_[A-Z0-9_]+$", max_length=100)]
        | None
    ) = None
    timeout_s: float = Field(600.0, gt=0, le=86400)


class DelineatePart(RemotePart):
    """A detector of another delineate service."""

    detector: Identifier
    version: Title | None = Field(None, description="Of that detector; filled in.")
    options_schema: dict[str, Any] | None = Field(None, description="Filled in.")
    weights: tuple[dict[str, str], ...] = Field((), description="Filled in.")


class MonaiLabelPart(RemotePart):
    """A model of a MONAI Label server."""

    model: Model
    params: dict[str, str | int | float | bool] = Field(default_factory=dict)
    labels: dict[Title, Annotated[int, Field(ge=1, le=65535)]] | None = Field(
        None, description="Filled in."
    )

    @field_validator("labels")
    @classmethod
    def _once(cls, labels: dict[str, int] | None) -> dict[str, int] | None:
        if labels is not None and len(set(labels.values())) != len(labels):
            raise ValueError(f"two names for one label: {labels}")
        return labels


class KservePart(RemotePart):
    """A model of a server that speaks the Open Inference Protocol (KServe v2)."""

    model: Model
    model_version: Model | None = None
    binary: bool | None = Field(None, description="Filled in by what the server can.")
    input: InputPart
    output: OutputPart


class Card(Part):
    """A detector, and exactly one thing that runs it."""

    schema_: Literal["delineate/card/1"] = Field(alias="schema")
    id: Identifier
    title: Title
    version: Title = "1"
    task: Task | None = None
    gives: OutputKind | None = None
    categories: Annotated[tuple[CategoryPart, ...], Field(max_length=1000)] = ()
    wants: Wants = Wants()
    memory_mb: int = Field(500, ge=0)
    memory_bytes_per_sample: float = Field(0.0, ge=0)
    count_error: CountError | None = None
    intended_use: Text = "Research. Not for diagnosis."
    licence: Text = ""
    onnx: OnnxPart | None = None
    delineate: DelineatePart | None = None
    monailabel: MonaiLabelPart | None = None
    kserve: KservePart | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        named = [
            name
            for name in ("onnx", "delineate", "monailabel", "kserve")
            if getattr(self, name) is not None
        ]
        if len(named) != 1:
            raise ValueError(
                "expected exactly one of onnx, delineate, monailabel and kserve, which says what "
                f"runs the detector, got {' and '.join(named) or 'none'}"
            )
        names = [each.name for each in self.categories]
        if len(set(names)) != len(names):
            raise ValueError(f"expected categories with names of their own, got {names}")
        if (network := self.onnx or self.kserve) is not None:
            self._agree_with(network.input, network.output)
        if self.onnx is not None and not self.licence:
            raise ValueError("expected a licence: the card brings a file of learned parameters")
        return self

    def _agree_with(self, taken: InputPart, given: OutputPart) -> None:
        kind = OUTPUT_KINDS[given.form]
        if self.gives != kind:
            raise ValueError(f"an output of form {given.form!r} gives {kind!r}, not {self.gives!r}")
        count = len(self.categories)
        if (kind == "field" and count != 1) or (kind == "image") != (count == 0):
            wanted = {"field": "one category", "image": "no categories"}.get(kind, "categories")
            raise ValueError(f"expected {wanted} for {kind!r}, got {count}")
        if given.form == "boxes" and taken.axes != 2:
            raise ValueError(f"boxes come from NCHW or NHWC, not from {taken.layout}")
        if given.form == "image" and taken.fit != "pad":
            raise ValueError("a restored image cannot come from a stretched one; fit 'pad'")

    @property
    def remote(self) -> RemotePart | None:
        """The server that runs it, if one does."""
        return self.delineate or self.monailabel or self.kserve

    def text(self) -> str:
        """As JSON; what is not said is left out."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True, indent=1) + "\n"


def parse_card(content: bytes, name: str = NAME) -> Card:
    """Read a card.

    Raises
    ------
    ModelError
        Naming each key that is unknown, missing or of another form.
    """
    if len(content) > _MOST_BYTES:
        raise ModelError(f"{name} is larger than {_MOST_BYTES >> 20} MB; expected a card")
    try:
        return Card.model_validate_json(content)
    except ValidationError as error:
        problems = "; ".join(_problem(one) for one in error.errors()[:8])
        raise ModelError(f"{name} is no card: {problems}. See docs/cards.md") from None


def read_card(folder: Path) -> Card:
    """Read the card of a folder.

    Raises
    ------
    ModelError
        If there is none or it is broken.
    """
    path = folder / NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"there is no {NAME} to read in {folder}: {error.strerror}") from error
    return parse_card(content, str(path))


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    text = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"there is no {where!r} in a card"
    if error["type"] == "missing":
        return f"{where!r} is missing"
    came = (
        "" if error["type"] in ("value_error", "json_invalid") else f", got {error['input']!r:.60}"
    )
    return f"{where + ': ' if where else ''}{text}{came}"
