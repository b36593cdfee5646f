"""Read and write NIfTI: delineate, nibabel and SimpleITK side by side.

``python benchmarks/nifti.py [slices]`` (150 unless told). A CT of 512 x 512 samples, noise of
fifteen units inside a body and air around it, and its label map of twelve organs, gzipped. Each
contender ends with the samples as stored (int16); nibabel's ``get_fdata``, which many programs
call, makes float64 of them and is measured as well.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk  # noqa: N813

sys.path.insert(0, str(Path(__file__).resolve().parent))

from contours import organs
from measure import compare, report

from delineate.formats import nifti
from delineate.imaging import Image, LabelMap

SLICES = int(sys.argv[1]) if len(sys.argv) > 1 else 150


def ct(labelmap: LabelMap) -> Image:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 15, labelmap.grid.shape).astype(np.int16)
    rows, columns = np.ogrid[-1:1:512j, -1:1:512j]
    body = rows**2 / 0.5 + columns**2 / 0.8 < 1
    array = np.where(body, noise + 40 + 10 * labelmap.array.astype(np.int16), np.int16(-1000))
    return Image(array.astype(np.int16), labelmap.grid, "CT")


def main() -> None:
    figures: dict[str, float | int] = {"slices": SLICES}
    ratios: dict[str, float] = {}
    labelmap = organs(SLICES)
    image = ct(labelmap)
    with tempfile.TemporaryDirectory() as name:
        scan, labels, scratch = (str(Path(name) / f"{n}.nii.gz") for n in ("ct", "labels", "x"))
        nifti.write_image(image, scan)
        nifti.write_labels(labelmap, labels)
        affine = nib.load(scan).affine
        held = sitk.ReadImage(scan), sitk.ReadImage(labels)
        runs = {
            "read_image": {
                "delineate": lambda: nifti.read(scan),
                "nibabel": lambda: np.asanyarray(nib.load(scan).dataobj),
                "nibabel_get_fdata": lambda: nib.load(scan).get_fdata(),
                "simpleitk": lambda: sitk.GetArrayFromImage(sitk.ReadImage(scan)),
            },
            "read_labels": {
                "delineate": lambda: nifti.read_labels(labels),
                "nibabel": lambda: np.asanyarray(nib.load(labels).dataobj),
                "simpleitk": lambda: sitk.GetArrayFromImage(sitk.ReadImage(labels)),
            },
            "write_image": {
                "delineate": lambda: nifti.write_image(image, scratch),
                "nibabel": lambda: nib.Nifti1Image(image.array.T, affine).to_filename(scratch),
                "simpleitk": lambda: sitk.WriteImage(held[0], scratch),
            },
            "write_labels": {
                "delineate": lambda: nifti.write_labels(labelmap, scratch),
                "nibabel": lambda: nib.Nifti1Image(labelmap.array.T, affine).to_filename(scratch),
                "simpleitk": lambda: sitk.WriteImage(held[1], scratch),
            },
        }
        for task, contenders in runs.items():
            seconds = compare(contenders, repeats=3)
            figures |= {f"{task}_{who}_s": value for who, value in seconds.items()}
            for who in contenders:
                if who != "delineate":
                    ratios[f"{task}_vs_{who}"] = seconds[who] / seconds["delineate"]
            if task.startswith("write"):
                for who, run in contenders.items():
                    run()
                    figures[f"{task}_{who}_bytes"] = Path(scratch).stat().st_size
    report("nifti", figures, ratios)


if __name__ == "__main__":
    main()
