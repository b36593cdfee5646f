"""Enclose and measure every organ, beside scikit-image, PyMCubes, zmesh and VTK.

    python benchmarks/meshes.py                 # the comparison; about ten minutes
    python benchmarks/meshes.py --slices 60     # a quick look; writes no result

The volume is that of ``contours.py``: 12 organs of one to three lobes each, with holes, in slices
of 512 x 512 samples. Everything runs in one thread. All give vertices and triangles of each organ:

vs_NAME           of the mask of the whole volume, as their tutorials have it
vs_NAME_cropped   of the organ's box alone
vs_zmesh, vs_vtk  of all labels at once, as these can: zmesh marching cubes; VTK's SurfaceNets3D,
                  smoothed (16 rounds), and raw beside delineate's voxel faces; with shared walls,
                  which it does not part by organ

delineate's time includes finding the organs and the millimetres; the peers stop at indices.
Times are of the processor, not of the clock on the wall, so that a busy machine distorts them less.
Peers that are missing are left out, and said to be.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Callable, Iterator
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from contours import compare, organs
from measure import first_calls, report
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure as skimage_measure

from delineate.contour import Surface, measure, surfaces
from delineate.imaging import Image, LabelMap

Contender = Callable[[], object]


def masks(labelmap: LabelMap, cropped: bool) -> Iterator[NDArray[np.float32]]:
    """The mask of each organ, in its box with an empty margin if cropped."""
    for organ, box in enumerate(ndimage.find_objects(labelmap.array), 1):
        mask = labelmap.array[box if cropped else ()] == organ
        yield (np.pad(mask, 1) if cropped else mask).astype(np.float32)


def skimage_meshes(labelmap: LabelMap, cropped: bool) -> int:
    return sum(
        len(skimage_measure.marching_cubes(mask, 0.5)[1]) for mask in masks(labelmap, cropped)
    )


def mcubes_meshes(module: Any, labelmap: LabelMap) -> int:
    return sum(len(module.marching_cubes(mask, 0.5)[1]) for mask in masks(labelmap, cropped=True))


def zmesh_meshes(module: Any, labelmap: LabelMap) -> int:
    mesher = module.Mesher((1.0, 1.0, 1.0))
    mesher.mesh(labelmap.array, close=True)
    return sum(len(mesher.get(n, normals=False).faces) for n in mesher.ids())


def vtk_meshes(module: Any, labelmap: LabelMap, smooth: bool) -> int:
    from vtkmodules.util.numpy_support import numpy_to_vtk

    module.vtkSMPTools.Initialize(1)
    image = module.vtkImageData()
    image.SetDimensions(*labelmap.array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(labelmap.array.ravel()))
    nets = module.vtkSurfaceNets3D()
    nets.SetInputData(image)
    nets.GenerateLabels(len(labelmap.categories), 1, len(labelmap.categories))
    nets.SetSmoothing(smooth)
    nets.SetOutputMeshTypeToTriangles()
    nets.Update()
    return int(nets.GetOutput().GetNumberOfCells())


def peers(labelmap: LabelMap) -> tuple[dict[str, Contender], list[str]]:
    """What can be compared with here, and what is missing."""
    found: dict[str, Contender] = {
        "skimage": lambda: skimage_meshes(labelmap, cropped=False),
        "skimage_cropped": lambda: skimage_meshes(labelmap, cropped=True),
    }
    missing = []
    known: dict[str, Callable[[Any], dict[str, Contender]]] = {
        "mcubes": lambda m: {"mcubes_cropped": lambda: mcubes_meshes(m, labelmap)},
        "zmesh": lambda m: {"zmesh": lambda: zmesh_meshes(m, labelmap)},
        "vtk": lambda m: {
            "vtk_smooth": lambda: vtk_meshes(m, labelmap, smooth=True),
            "vtk_raw": lambda: vtk_meshes(m, labelmap, smooth=False),
        },
    }
    for name, contenders in known.items():
        try:
            found |= contenders(importlib.import_module(name))
        except ImportError:
            missing.append(name)
    return found, missing


FIRST = """if True:
    import numpy as np
    from delineate.contour import surfaces
    from delineate.imaging import Grid, LabelMap
    surfaces(LabelMap(np.ones((1, 2, 2), np.uint8), Grid.regular((1, 2, 2)), {}))
"""


def quality(labelmap: LabelMap, found: tuple[Surface, ...]) -> dict[str, float]:
    """How true the smooth meshes are."""
    voxels = np.bincount(labelmap.array.ravel())[1:] * labelmap.grid.voxel_size / 1000
    volumes = np.array([surface.volume_ml for surface in found])
    return {
        "smooth, largest difference of volume (%)": float(np.abs(volumes / voxels - 1).max() * 100),
        "smooth, largest deviation (mm)": max(surface.deviation_mm or 0.0 for surface in found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    labelmap = organs(options.slices)
    rng = np.random.default_rng(7)
    image = Image(rng.integers(-1000, 1000, labelmap.grid.shape, np.int16), labelmap.grid, "CT")
    others, missing = peers(labelmap)
    own: dict[str, Contender] = {
        "delineate": lambda: surfaces(labelmap),
        "delineate, voxel faces": lambda: surfaces(labelmap, "edge"),
        "measure with an image": lambda: measure(labelmap, image),
    }
    for run in own.values():
        run()
    found = surfaces(labelmap)
    seconds = compare(own | others, options.repeats)
    figures: dict[str, Any] = {
        "slices": options.slices,
        "triangles": sum(len(surface.faces) for surface in found),
        "peers that are missing": ", ".join(missing) or "none",
    }
    figures |= {f"{name} (s)": value for name, value in seconds.items()}
    figures |= quality(labelmap, found)
    ratios = {f"vs_{name}": seconds[name] / seconds["delineate"] for name in others}
    if "vtk_raw" in seconds:  # neither is smooth
        ratios["vs_vtk_raw"] = seconds["vtk_raw"] / seconds["delineate, voxel faces"]
    if options.slices != 300:
        print(figures, ratios)
        return
    compiling, loading = first_calls(FIRST)
    figures["a process that has to compile (s)"] = compiling
    figures["a process that finds it compiled (s)"] = loading
    figures["load average of the last five minutes"] = os.getloadavg()[1]
    report("meshes", figures, ratios)


if __name__ == "__main__":
    main()
