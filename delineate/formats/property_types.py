"""What kind of thing a category is, in DICOM's words."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Any

from delineate.imaging import Category, Code, anatomy

__all__ = ["OWN_SCHEME", "interpreted_type", "is_anatomy", "own_code", "property_category"]

OWN_SCHEME = "99DELINEATE"

# Context groups of what segments can show (PS3.16, CID 7191 to 7198), the more definite first, and
# the property category (CID 7150) of each.
_ANATOMY = ("91723000", "SCT", "Anatomical Structure")
_TISSUE = ("85756007", "SCT", "Tissue")
_GROUPS = (
    ("cid7192", _ANATOMY),
    ("cid7194", ("49755003", "SCT", "Morphologically Abnormal Structure")),
    ("cid7193", ("260787004", "SCT", "Physical object")),
    ("cid7191", _TISSUE),
    ("cid7197", ("91720002", "SCT", "Body Substance")),
    ("cid7198", ("105590001", "SCT", "Substance")),
    ("cid7195", ("246464006", "SCT", "Function")),
)
_EXTERNAL = "external"
_SUPPORT = ("couch", "couchsurface", "couchinterior", "table", "tabletop")
_TARGET = re.compile(r"(GTV|CTV|PTV)[pn]?(?![A-Za-z])", re.IGNORECASE)  # AAPM TG-263


def interpreted_type(category: Category) -> str:
    """RT ROI Interpreted Type (PS3.3 C.8.8.8.1); empty where the category does not tell.

    ===================================================================  ===========
    the outline of the body by name (``external``, ``body``)             EXTERNAL
    names that begin with ``GTV``, ``CTV`` or ``PTV``                    the same
    the patient's couch by name                                          SUPPORT
    anatomy or tissue by its code (CID 7191, 7192) or by its name,       ORGAN
    as the package's table of anatomy has it
    all else: lesions, devices, what is not known                        empty
    ===================================================================  ===========
    """
    name = re.sub(r"[^a-z]", "", category.name.lower())
    known = anatomy.category(category.name)
    if known is not None and known.name == _EXTERNAL:
        return "EXTERNAL"
    if target := _TARGET.match(category.name):
        return target[1].upper()
    if name in _SUPPORT:
        return "SUPPORT"
    if category.code is None:
        return "ORGAN" if known is not None else ""
    return "ORGAN" if _group(category) in (_ANATOMY, _TISSUE) else ""


def property_category(category: Category) -> tuple[str, str, str]:
    """Segmented property category (CID 7150): value, scheme, meaning.

    That of the context group that lists the code; anatomical where the package's table of anatomy
    has the code or, without a code, the name; else tissue, which says least.
    """
    if category.code is None:
        return _ANATOMY if anatomy.category(category.name) is not None else _TISSUE
    return _group(category) or _TISSUE


def is_anatomy(category: Category) -> bool:
    """Whether it is an anatomical structure or tissue, and so a place in the body."""
    kind = property_category(category)
    return kind == _ANATOMY or (category.code is not None and kind == _group(category) == _TISSUE)


def own_code(category: Category) -> Code:
    """A code for what has none: it follows from the name."""
    digest = hashlib.sha256(category.name.encode()).hexdigest()[:16]
    return Code(digest, OWN_SCHEME, category.name)


def _group(category: Category) -> tuple[str, str, str] | None:
    assert category.code is not None
    return _listed(category.code.value, category.code.scheme)


@lru_cache(maxsize=1024)
def _listed(value: str, scheme: str) -> tuple[str, str, str] | None:
    from pydicom.sr.codedict import codes  # a large dictionary
    from pydicom.sr.coding import Code as PydicomCode

    if anatomy.by_code(Code(value, scheme, "")) is not None:
        return _ANATOMY
    code: Any = PydicomCode(value, scheme, "")
    return next((kind for name, kind in _GROUPS if code in getattr(codes, name)), None)
