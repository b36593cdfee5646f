"""Options that name another image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel
from pydantic_core import PydanticCustomError, core_schema

from delineate.errors import OptionError
from delineate.imaging import Image

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

__all__ = ["Reference", "referenced", "resolved"]

Chosen = TypeVar("Chosen", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reference:
    """Another image that an option names, such as a template to compare with.

    Declare it as ``template: Reference | None = Field(None, description="...")`` and take
    ``options.template.image`` in ``detect``, which is the image as it was read: in its own
    orientation, spacing and channels. The command line takes a path, the REST interface the id of
    an uploaded image, Python an :class:`~delineate.imaging.Image`.

    Parameters
    ----------
    name
        How the caller named it; what JSON holds.
    """

    name: str
    loaded: Image | None = field(default=None, compare=False, repr=False)

    @property
    def image(self) -> Image:
        """The image; raises :class:`~delineate.errors.OptionError` if nobody has read it."""
        if self.loaded is None:
            raise OptionError(
                f"the image {self.name!r} was not read; from Python give the image itself: "
                "delineate.read(path)"
            )
        return self.loaded

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._of,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda one: one.name),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "image"}

    @classmethod
    def _of(cls, value: object) -> Reference:
        if isinstance(value, Reference):
            return value
        if isinstance(value, Image):
            return cls(value.content_hash, value)
        if isinstance(value, str) and value:
            return cls(value)
        raise PydanticCustomError(
            "image", "should be an image: a path, the id of an uploaded one, or an Image"
        )


def referenced(options: BaseModel) -> dict[str, Reference]:
    """The options that name an image, by name; those left out are not there."""
    named = ((name, getattr(options, name)) for name in type(options).model_fields)
    return {name: value for name, value in named if isinstance(value, Reference)}


def resolved(options: Chosen, read: Callable[[str], Image]) -> Chosen:
    """The same options with every image that they name read by ``read``."""
    images = {
        name: one if one.loaded is not None else Reference(one.name, read(one.name))
        for name, one in referenced(options).items()
    }
    return options.model_copy(update=images) if images else options
