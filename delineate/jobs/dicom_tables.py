"""The tables of the DICOMweb node: what is where, and what is still to be done with it."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from delineate.jobs.database import metadata
from delineate.jobs.dicom_attributes import ATTRIBUTES, Level

__all__ = ["HEADERS", "INSTANCES", "SERIES", "STUDIES", "TASKS", "table_of"]


def _searched(level: Level) -> list[sa.Column[object]]:
    """A column for each attribute of a level that can be searched by."""
    return [
        sa.Column(name, sa.Integer)
        if one.vr == "IS"
        else sa.Column(name, sa.Text, nullable=False, server_default="")
        for one in ATTRIBUTES
        if one.level == level
        for name in one.columns
    ]


STUDIES = sa.Table(
    "dicom_study",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.String(32), nullable=False),
    *_searched("study"),
    # What a search answers of it, in the DICOM JSON model.
    sa.Column("shown", sa.Text, nullable=False),
    sa.UniqueConstraint("tenant", "study_instance_uid", name="dicom_study_uid"),
    sa.Index("dicom_study_date", "tenant", "study_date", "id"),
    sa.Index("dicom_study_patient", "tenant", "patient_id"),
    sa.Index("dicom_study_accession", "tenant", "accession_number"),
)
SERIES = sa.Table(
    "dicom_series",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.String(32), nullable=False),
    sa.Column("study", sa.Integer, sa.ForeignKey("dicom_study.id"), nullable=False),
    *_searched("series"),
    sa.Column("shown", sa.Text, nullable=False),
    # The image that holds it as it is now; none while it grows, or if it is no image.
    sa.Column("image_id", sa.String(64)),
    # The job whose result it is.
    sa.Column("job_id", sa.String(26)),
    sa.UniqueConstraint("tenant", "series_instance_uid", name="dicom_series_uid"),
    sa.Index("dicom_series_order", "tenant", "id"),
    sa.Index("dicom_series_study", "study", "series_number", "id"),
    sa.Index("dicom_series_image", "image_id"),
    sa.Index("dicom_series_job", "job_id"),
)
INSTANCES = sa.Table(
    "dicom_instance",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("tenant", sa.String(32), nullable=False),
    sa.Column("study", sa.Integer, sa.ForeignKey("dicom_study.id"), nullable=False),
    sa.Column("series", sa.Integer, sa.ForeignKey("dicom_series.id"), nullable=False),
    *_searched("instance"),
    sa.Column("shown", sa.Text, nullable=False),
    sa.Column("transfer_syntax", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    # Where its file lies: a file of an image, of a result, or one of the node's own.
    sa.Column("holder", sa.String(8), nullable=False),
    sa.Column("holder_id", sa.String(64), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.UniqueConstraint("tenant", "sop_instance_uid", name="dicom_instance_uid"),
    sa.Index("dicom_instance_order", "tenant", "id"),
    sa.Index("dicom_instance_series", "series", "instance_number", "id"),
    sa.Index("dicom_instance_study", "study"),
    sa.Index("dicom_instance_holder", "holder_id"),
)
HEADERS = sa.Table(
    "dicom_header",
    metadata,
    sa.Column("instance", sa.Integer, sa.ForeignKey("dicom_instance.id"), primary_key=True),
    # The whole header in the DICOM JSON model, gzipped, and where the frames lie in the file.
    sa.Column("header", sa.LargeBinary, nullable=False),
    sa.Column("frames", sa.LargeBinary),
)
TASKS = sa.Table(
    "dicom_task",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("tenant", sa.String(32), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    # What it is about; one open task of a kind about a thing.
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # Seconds since 1970: when it is to be done, and until when somebody has it in hand.
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("leased", sa.Float, nullable=False, server_default="0"),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.String(2000)),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("finished", sa.String(32)),
    sa.UniqueConstraint("tenant", "kind", "subject", name="dicom_task_subject"),
    sa.Index("dicom_task_due", "state", "due"),
)
_TABLES: Mapping[Level, sa.Table] = {"study": STUDIES, "series": SERIES, "instance": INSTANCES}


def table_of(level: Level) -> sa.Table:
    """The table of a level."""
    return _TABLES[level]
