"""Meshes: what is written comes back, in this software and in others'."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import labelmaps

from delineate.contour import surface, surface_loss, surfaces
from delineate.errors import ExportError, UnreadableFileError
from delineate.formats import mesh
from delineate.imaging import Category, Code, Grid, LabelMap

GOLDEN = Path(__file__).parent / "golden" / "mesh"
LIVER = Category("Leber ß", (221, 130, 101), Code("10200004", "SCT", "Liver"))
KIDNEY = Category("kidney", (1, 2, 3), laterality="left")
SAID = "round trip: Dice 1.000000, largest distance 0.412 mm"
SINGLE = 2.0**-24  # what a coordinate loses of its size in float32, at most


def two_organs() -> LabelMap:
    grid = Grid.regular((2, 2, 4), (5.0, 2.0, 1.0), (-20.0, 30.0, 400.0))
    array = np.zeros(grid.shape, np.uint8)
    array[0, 0, :2] = 3
    array[1, 1, 3] = 7
    return LabelMap(array, grid, {3: LIVER, 7: KIDNEY, 9: Category("not found")})


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    labelmaps(max_size=5),
    st.sampled_from((".stl.zip", ".ply", ".glb")),
    st.sampled_from(("smooth", "edge")),
)
def test_what_is_written_comes_back(
    tmp_path: Path, labelmap: LabelMap, ending: str, style: str
) -> None:
    written = surfaces(labelmap, style)
    mesh.write(written, tmp_path / f"a{ending}", accuracy=SAID)

    back = mesh.read(tmp_path / f"a{ending}")

    assert [found.number for found in back] == [found.number for found in written]
    assert [found.category for found in back] == [found.category for found in written]
    for found, before in zip(back, written, strict=True):
        places, expected = found.vertices[found.faces], before.vertices[before.faces]
        assert (np.abs(places - expected) <= SINGLE * np.abs(expected)).all()
        assert surface_loss(found, labelmap, before).dice == 1.0
        if ending != ".stl.zip":
            np.testing.assert_array_equal(found.faces, before.faces)


@pytest.mark.parametrize("name", ["a.stl.zip", "a.ply", "a.glb"])
def test_names_colours_and_codes_come_back_also_of_what_was_not_found(
    tmp_path: Path, name: str
) -> None:
    labelmap = two_organs()
    mesh.write(surfaces(labelmap), tmp_path / name)

    back = {found.number: found for found in mesh.read(tmp_path / name)}

    assert {n: found.category for n, found in back.items()} == labelmap.categories
    assert len(back[9].faces) == 0


def test_one_stl_holds_one_body(tmp_path: Path) -> None:
    labelmap = two_organs()
    with pytest.raises(ExportError, match=r"\.stl\.zip"):
        mesh.write(surfaces(labelmap), tmp_path / "a.stl")
    assert not (tmp_path / "a.stl").exists()

    mesh.write([surface(labelmap, 3, "edge")], tmp_path / "liver.stl", accuracy=SAID)
    (back,) = mesh.read(tmp_path / "liver.stl")

    assert (back.number, back.category.name) == (1, "liver")
    assert back.volume_ml == pytest.approx(0.02, rel=1e-6)
    header = (tmp_path / "liver.stl").read_bytes()[:80]
    assert header == f"SPACE=LPS {SAID}".ljust(80).encode()
    assert len(f"SPACE=LPS {'x' * 64}") <= 80


def test_the_accuracy_is_where_readers_find_it_and_nowhere_if_empty(tmp_path: Path) -> None:
    found = surfaces(two_organs())
    for name in ("a.ply", "a.glb", "a.stl.zip"):
        mesh.write(found, tmp_path / name, accuracy=SAID)
        mesh.write(found, tmp_path / f"none-{name}")

    assert f"comment accuracy {SAID}\n".encode() in (tmp_path / "a.ply").read_bytes()
    assert b"accuracy" not in (tmp_path / "none-a.ply").read_bytes()
    assert glb_document(tmp_path / "a.glb")["asset"]["extras"]["accuracy"] == SAID
    assert "accuracy" not in glb_document(tmp_path / "none-a.glb")["asset"]["extras"]
    with zipfile.ZipFile(tmp_path / "a.stl.zip") as archive:
        listed = json.loads(archive.read("structures.json"))
        assert listed["accuracy"] == SAID
        assert archive.namelist() == ["structures.json", "Leber_ß.stl", "kidney.stl"]
        assert SAID.encode() in archive.read("kidney.stl")[:80]


def glb_document(path: Path) -> dict:
    content = path.read_bytes()
    return json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])


def test_trimesh_opens_all_and_finds_them_closed_where_they_are(tmp_path: Path) -> None:
    labelmap = two_organs()
    found = surfaces(labelmap)
    for name in ("a.ply", "a.glb"):
        mesh.write(found, tmp_path / name)
    mesh.write([found[0]], tmp_path / "a.stl")

    body = trimesh.load(tmp_path / "a.stl")
    assert body.is_watertight
    assert body.is_winding_consistent
    assert body.volume / 1000 == pytest.approx(found[0].volume_ml, rel=1e-4)

    both = trimesh.load(tmp_path / "a.ply")
    assert both.is_watertight
    assert both.body_count == 2
    np.testing.assert_allclose(
        both.bounds,
        [
            np.min([f.vertices.min(axis=0) for f in found[:2]], axis=0),
            np.max([f.vertices.max(axis=0) for f in found[:2]], axis=0),
        ],
        atol=1e-4,
    )
    colours = {tuple(colour[:3]) for colour in both.visual.vertex_colors.tolist()}
    assert colours == {LIVER.colour, KIDNEY.colour}

    scene = trimesh.load(tmp_path / "a.glb")
    assert set(scene.geometry) == {"Leber ß", "kidney"}
    assert all(part.is_watertight for part in scene.geometry.values())


def test_a_scene_stands_upright_in_metres(tmp_path: Path) -> None:
    labelmap = two_organs()
    mesh.write(surfaces(labelmap, "edge"), tmp_path / "a.glb")
    scene = trimesh.load(tmp_path / "a.glb")

    # Left, back, head in LPS: x, -z and y of glTF, whose front is z.
    low, high = scene.bounds
    np.testing.assert_allclose(low, np.array([-20.5, 397.5, -33.0]) / 1000, atol=1e-7)
    np.testing.assert_allclose(high, np.array([-16.5, 407.5, -29.0]) / 1000, atol=1e-7)
    # The vertices themselves are in LPS mm.
    assert scene.geometry["kidney"].bounds[1].tolist() == [-16.5, 33.0, 407.5]


@pytest.mark.parametrize("name", ["two.stl.zip", "two.ply", "two.glb"])
def test_the_bytes_are_those_of_the_golden_file(tmp_path: Path, name: str) -> None:
    """Recipe: ``mesh.write(surfaces(two_organs(), "edge"), name, accuracy=SAID)``."""
    mesh.write(surfaces(two_organs(), "edge"), tmp_path / name, accuracy=SAID)

    if name.endswith(".zip"):  # how hard it is packed is up to zlib
        with zipfile.ZipFile(tmp_path / name) as ours, zipfile.ZipFile(GOLDEN / name) as golden:
            assert [(i.filename, i.CRC, i.date_time) for i in ours.infolist()] == [
                (i.filename, i.CRC, i.date_time) for i in golden.infolist()
            ]
    else:
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("name", ["a.stl", "a.stl.zip", "a.ply", "a.glb"])
@pytest.mark.parametrize(
    "content", [b"", b"solid a\nendsolid a\n", bytes(200), b"glTF" + bytes(20)]
)
def test_what_is_no_mesh_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(UnreadableFileError, match=name.replace(".", r"\.") + "|STL"):
        mesh.read(tmp_path / name)


@pytest.mark.parametrize("name", ["two.stl.zip", "two.ply", "two.glb"])
def test_a_file_cut_short_is_refused(tmp_path: Path, name: str) -> None:
    content = (GOLDEN / name).read_bytes()
    for size in (20, 100, len(content) // 2, len(content) - 1):
        (tmp_path / name).write_bytes(content[:size])
        with pytest.raises(UnreadableFileError):
            mesh.read(tmp_path / name)


def test_someone_elses_files_are_refused_unless_stl(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    for name in ("a.ply", "a.glb", "a.stl"):
        box.export(tmp_path / name)

    assert mesh.read(tmp_path / "a.stl")[0].volume_ml == pytest.approx(0.001)
    for name in ("a.ply", "a.glb"):
        with pytest.raises(UnreadableFileError, match="expected"):
            mesh.read(tmp_path / name)


def test_unknown_endings_and_equal_numbers_are_refused(tmp_path: Path) -> None:
    found = surface(two_organs(), 3)
    with pytest.raises(ExportError, match=r"\.glb"):
        mesh.write([found], tmp_path / "a.obj")
    with pytest.raises(UnreadableFileError, match=r"\.glb"):
        mesh.read(tmp_path / "a.obj")
    with pytest.raises(ExportError, match="same number"):
        mesh.write([found, found], tmp_path / "a.glb")
    with pytest.raises(FileNotFoundError):
        mesh.read(tmp_path / "a.ply")


def test_nothing_at_all_can_be_written(tmp_path: Path) -> None:
    for name in ("a.ply", "a.glb", "a.stl.zip"):
        mesh.write([], tmp_path / name)
        assert mesh.read(tmp_path / name) == ()


def test_a_touching_edge_survives_an_stl(tmp_path: Path) -> None:
    labelmap = LabelMap(np.array([[[0, 1], [1, 0]]], np.uint8), Grid.regular((1, 2, 2)), {})
    for style in ("smooth", "edge"):
        written = surface(labelmap, 1, style)
        mesh.write([written], tmp_path / "a.stl")
        (back,) = mesh.read(tmp_path / "a.stl")
        assert surface_loss(back, labelmap, written).dice == 1.0
    assert len(back.vertices) < len(written.vertices)
