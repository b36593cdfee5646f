"""What the DICOMweb node knows: studies, series, instances, and what is still to be done."""

import sqlalchemy as sa
from alembic import op

revision = "d001"
down_revision = "a001"

_STUDY = (
    *("study_date", "study_time", "accession_number", "referring_physician_name"),
    *("referring_physician_name_ideographic", "referring_physician_name_phonetic"),
    *("study_description", "patient_name", "patient_name_ideographic", "patient_name_phonetic"),
    *("patient_id", "patient_birth_date", "patient_sex", "study_instance_uid", "study_id"),
)
_SERIES = (
    *("modality", "series_description", "body_part_examined", "series_instance_uid"),
    *("performed_procedure_step_start_date", "performed_procedure_step_start_time"),
    *("scheduled_procedure_step_id", "requested_procedure_id"),
)


def _texts(names: tuple[str, ...]) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "dicom_study",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.String(32), nullable=False),
        *_texts(_STUDY),
        sa.Column("shown", sa.Text, nullable=False),
        sa.UniqueConstraint("tenant", "study_instance_uid", name="dicom_study_uid"),
    )
    op.create_index("dicom_study_date", "dicom_study", ["tenant", "study_date", "id"])
    op.create_index("dicom_study_patient", "dicom_study", ["tenant", "patient_id"])
    op.create_index("dicom_study_accession", "dicom_study", ["tenant", "accession_number"])
    op.create_table(
        "dicom_series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("study", sa.Integer, sa.ForeignKey("dicom_study.id"), nullable=False),
        *_texts(_SERIES),
        sa.Column("series_number", sa.Integer),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("image_id", sa.String(64)),
        sa.Column("job_id", sa.String(26)),
        sa.UniqueConstraint("tenant", "series_instance_uid", name="dicom_series_uid"),
    )
    op.create_index("dicom_series_order", "dicom_series", ["tenant", "id"])
    op.create_index("dicom_series_study", "dicom_series", ["study", "series_number", "id"])
    op.create_index("dicom_series_image", "dicom_series", ["image_id"])
    op.create_index("dicom_series_job", "dicom_series", ["job_id"])
    op.create_table(
        "dicom_instance",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("study", sa.Integer, sa.ForeignKey("dicom_study.id"), nullable=False),
        sa.Column("series", sa.Integer, sa.ForeignKey("dicom_series.id"), nullable=False),
        *_texts(("sop_class_uid", "sop_instance_uid")),
        sa.Column("instance_number", sa.Integer),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("transfer_syntax", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(8), nullable=False),
        sa.Column("holder_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.UniqueConstraint("tenant", "sop_instance_uid", name="dicom_instance_uid"),
    )
    op.create_index("dicom_instance_order", "dicom_instance", ["tenant", "id"])
    op.create_index("dicom_instance_series", "dicom_instance", ["series", "instance_number", "id"])
    op.create_index("dicom_instance_study", "dicom_instance", ["study"])
    op.create_index("dicom_instance_holder", "dicom_instance", ["holder_id"])
    op.create_table(
        "dicom_header",
        sa.Column("instance", sa.Integer, sa.ForeignKey("dicom_instance.id"), primary_key=True),
        sa.Column("header", sa.LargeBinary, nullable=False),
        sa.Column("frames", sa.LargeBinary),
    )
    op.create_table(
        "dicom_task",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("tenant", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due", sa.Float, nullable=False),
        sa.Column("leased", sa.Float, nullable=False, server_default="0"),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.String(2000)),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("finished", sa.String(32)),
        sa.UniqueConstraint("tenant", "kind", "subject", name="dicom_task_subject"),
    )
    op.create_index("dicom_task_due", "dicom_task", ["state", "due"])
