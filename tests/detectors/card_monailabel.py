"""A MONAI Label server for tests.

It answers as the original does (Project-MONAI/MONAILabel at 058ddfc, 0.8.5:
``monailabel/endpoints/infer.py`` and ``info.py``): ``GET /info/``; ``POST /infer/MODEL`` takes
``multipart/form-data`` with ``params`` (JSON text) and ``file``, and answers by
``multipart/form-data`` with a part ``params`` without a file's name and a part ``image`` with one.
Files are read and written by ITK, as the original's are.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import SimpleITK as sitk  # noqa: N813
from fastapi import FastAPI, Form, Response, UploadFile

LABELS: dict[str, Any] = {"background": 0, "spleen": 1, "lump": 2}


class MonaiLabel:
    """A server whose model gives each sample's value back as its label."""

    def __init__(self, folder: Path) -> None:
        self.app, self._folder = FastAPI(), folder
        self.labels: Any = LABELS
        self.told: dict[str, Any] = {}
        self.extension = ""
        self.turned = ""
        self.spoil: Callable[[Any], Any] = lambda array: array
        self.cut = 0
        self.asked: list[dict[str, Any]] = []
        self.app.get("/info/")(self.info)
        self.app.post("/infer/{model}")(self.infer)

    def info(self) -> dict[str, Any]:
        model = {"type": "segmentation", "labels": self.labels, "dimension": 3, "config": {}}
        click = {"type": "deepedit", "labels": self.labels, "dimension": 3}
        return {
            "name": "test",
            "labels": ["spleen", "lump"],
            "models": {"segmentation_ct": model, "deepedit_ct": click},
        }

    async def infer(self, model: str, file: UploadFile, params: str = Form("{}")) -> Response:
        asked = json.loads(params)
        self.asked.append({**asked, "name": file.filename, "type": file.content_type})
        assert model == "segmentation_ct"
        given = self._folder / f"{uuid.uuid4().hex}{''.join(Path(file.filename or '').suffixes)}"
        given.write_bytes(await file.read())
        image = sitk.ReadImage(str(given))
        array = self.spoil(sitk.GetArrayFromImage(image)).astype(asked["result_dtype"])
        labels = sitk.GetImageFromArray(array)
        if array.shape == image.GetSize()[::-1]:
            labels.CopyInformation(image)
        if self.turned:
            labels = sitk.DICOMOrient(labels, self.turned)
        made = self._folder / f"{uuid.uuid4().hex}{self.extension or asked['result_extension']}"
        sitk.WriteImage(labels, str(made), useCompression=asked.get("result_compress", True))
        body, kind = self._multipart(made)
        if self.cut:
            body = body[: -self.cut]
        return Response(body, media_type=kind)

    def _multipart(self, made: Path) -> tuple[bytes, str]:
        boundary = uuid.uuid4().hex
        told = json.dumps({"latencies": {"total": 0.1}, **self.told}).encode()
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n'
            "Content-Type: application/json\r\n\r\n"
        ).encode()
        body += (
            told
            + (
                f"\r\n--{boundary}\r\nContent-Disposition: form-data; "
                f'name="image"; filename="{made.name}"\r\nContent-Type: '
                "application/octet-stream\r\n\r\n"
            ).encode()
        )
        body += made.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        return body, f"multipart/form-data; boundary={boundary}"
