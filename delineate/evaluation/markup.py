"""HTML and SVG as text, with everything that is not markup escaped."""

from __future__ import annotations

from html import escape

__all__ = ["Markup", "joined", "tag"]

_VOID = ("meta", "br", "hr", "img", "rect", "line", "path", "circle", "image")


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element; children that are no `Markup` are escaped, ``None`` is left out.

    A trailing underscore of an attribute's name is dropped, other underscores are hyphens.
    """
    stated = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID and not children:
        return Markup(f"<{name}{stated}>" if name in ("meta", "br", "hr") else f"<{name}{stated}/>")
    return Markup(f"<{name}{stated}>{joined(*children)}</{name}>")


def joined(*children: object) -> Markup:
    """Several one after the other."""
    return Markup(
        "".join(
            one if isinstance(one, Markup) else escape(str(one), quote=False)
            for one in children
            if one is not None
        )
    )
