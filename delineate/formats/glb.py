"""Surfaces as binary glTF 2.0; see :mod:`delineate.formats.mesh`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.contour import Surface
from delineate.errors import UnreadableFileError
from delineate.formats.structure_entry import numbered
from delineate.imaging import category_from_json

__all__ = ["read", "write"]

_MAGIC, _VERSION = b"glTF", 2
_JSON, _BIN = b"JSON", b"BIN\0"
_FLOAT, _UINT = 5126, 5125  # types of components
_POINTS, _INDICES = 34962, 34963  # what a buffer view is for
# LPS mm to glTF's frame in metres, column by column: x stays (to the left of who looks at us), y is
# towards the head, z to the front.
_UPRIGHT = [0.001, 0, 0, 0, 0, 0, -0.001, 0, 0, 0.001, 0, 0, 0, 0, 0, 1]
_SAID = "vertices are in LPS mm; the node 'LPS mm' brings them to glTF's metres with y upwards"


def write(surfaces: Sequence[Surface], path: Path, accuracy: str) -> None:
    """Write a scene, a node for each surface."""
    extras = {"space": "LPS", "unit": "mm", "frame": _SAID}
    if accuracy:
        extras["accuracy"] = accuracy
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "delineate", "extras": extras},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "LPS mm", "matrix": _UPRIGHT}],
    }
    blocks: list[bytes] = []
    children = []
    for surface in surfaces:
        node: dict[str, Any] = {"name": surface.category.name, "extras": numbered(surface)}
        if len(surface.faces):
            node["mesh"] = len(document.setdefault("meshes", []))
            _add_mesh(document, blocks, surface)
        children.append(len(document["nodes"]))
        document["nodes"].append(node)
    if children:
        document["nodes"][0]["children"] = children
    data = b"".join(blocks)
    if data:
        document["buffers"] = [{"byteLength": len(data)}]
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    chunks = _chunk(_JSON, text + b" " * (-len(text) % 4)) + (_chunk(_BIN, data) if data else b"")
    size = (12 + len(chunks)).to_bytes(4, "little")
    path.write_bytes(_MAGIC + _VERSION.to_bytes(4, "little") + size + chunks)


def read(path: Path) -> tuple[Surface, ...]:
    """Read what was written, a surface for each node."""
    content = path.read_bytes()
    size = int.from_bytes(content[8:12], "little")
    if content[:4] != _MAGIC or content[4] != _VERSION or size != len(content):
        raise UnreadableFileError(f"{path.name} is no binary glTF 2.0, or cut short")
    end = 20 + int.from_bytes(content[12:16], "little")
    document = json.loads(content[20:end])
    if document["asset"].get("extras", {}).get("space") != "LPS":
        raise UnreadableFileError(
            f"expected a scene in LPS mm, as it is written here, got another in {path.name}"
        )
    data = content[end + 8 :]
    return tuple(_surface(document, node, data) for node in document["nodes"][1:])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + kind + data


def _add_mesh(document: dict[str, Any], blocks: list[bytes], surface: Surface) -> None:
    points = surface.vertices.astype("<f4")
    corners = surface.faces.astype("<u4")
    parts = (
        (points, _POINTS, {"componentType": _FLOAT, "count": len(points), "type": "VEC3"}),
        (corners, _INDICES, {"componentType": _UINT, "count": corners.size, "type": "SCALAR"}),
    )
    views, accessors = document.setdefault("bufferViews", []), document.setdefault("accessors", [])
    first = len(accessors)
    for array, target, accessor in parts:
        offset = views[-1]["byteOffset"] + views[-1]["byteLength"] if views else 0
        accessor = {"bufferView": len(views)} | accessor
        if target == _POINTS:  # the standard asks for both
            accessor["min"], accessor["max"] = (
                points.min(axis=0).tolist(),
                points.max(axis=0).tolist(),
            )
        accessors.append(accessor)
        views.append(
            {"buffer": 0, "byteOffset": offset, "byteLength": array.nbytes, "target": target}
        )
        blocks.append(array.tobytes())
    primitive = {"attributes": {"POSITION": first}, "indices": first + 1}
    materials = document.setdefault("materials", [])
    primitive["material"] = len(materials)
    materials.append(_material(surface))
    document["meshes"].append({"name": surface.category.name, "primitives": [primitive]})


def _material(surface: Surface) -> dict[str, Any]:
    parts = np.array(surface.category.colour) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)  # of sRGB
    return {
        "name": surface.category.name,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*(round(float(part), 6) for part in linear), 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.7,
        },
    }


def _surface(document: dict[str, Any], node: dict[str, Any], data: bytes) -> Surface:
    listed = node["extras"]
    points: NDArray[Any] = np.empty((0, 3))
    corners: NDArray[Any] = np.empty((0, 3), np.int32)
    if "mesh" in node:
        (primitive,) = document["meshes"][node["mesh"]]["primitives"]
        points = _array(document, primitive["attributes"]["POSITION"], data, "<f4")
        corners = _array(document, primitive["indices"], data, "<u4")
    return Surface(listed["number"], category_from_json(listed), points, corners.astype(np.int32))


def _array(document: dict[str, Any], accessor: int, data: bytes, dtype: str) -> NDArray[Any]:
    view = document["bufferViews"][document["accessors"][accessor]["bufferView"]]
    start = view["byteOffset"]
    return np.frombuffer(data[start : start + view["byteLength"]], dtype).reshape(-1, 3)
