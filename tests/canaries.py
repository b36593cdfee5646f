"""DICOM files with a word wherever a patient's name could stand."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

CANARY = "XQZCANARY"
TEXTS = (
    *("PatientName", "PatientID", "OtherPatientNames", "OtherPatientIDs", "PatientAddress"),
    *("PatientComments", "PatientMotherBirthName", "PatientBirthName", "PatientTelephoneNumbers"),
    *("EthnicGroup", "Occupation", "AdditionalPatientHistory", "MedicalAlerts", "Allergies"),
    *("ReferringPhysicianName", "ReferringPhysicianAddress", "PerformingPhysicianName"),
    *("OperatorsName", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy", "RequestingPhysician"),
    *("InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "StationName"),
    *("AccessionNumber", "StudyID", "StudyDescription", "SeriesDescription", "ProtocolName"),
    *("DeviceSerialNumber", "RequestedProcedureDescription", "RequestedProcedureID"),
    *("PerformedProcedureStepDescription", "PerformedProcedureStepID", "CurrentPatientLocation"),
    *("AdmissionID", "IssuerOfPatientID", "ImageComments", "DerivationDescription"),
    *("AcquisitionComments", "VisitComments", "MilitaryRank", "RegionOfResidence"),
    *("CountryOfResidence", "PatientReligiousPreference", "ContrastBolusAgent", "PlateID"),
    # Not in the table of the profile; they repeat the patient's name all the same.
    *("ManufacturerModelName", "ConvolutionKernel", "AcquisitionProtocolDescription"),
)


def planted(path: Path, other: str = "") -> Dataset:
    """A CT slice with a canary wherever text can stand; ``other`` is a slice it refers to."""
    dataset = pydicom.dcmread(path)
    for name in TEXTS:
        setattr(dataset, name, CANARY)
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19511231", "F", "070Y"
    dataset.StudyDate, dataset.SeriesDate, dataset.StudyTime = "20200229", "20200301", "101112"
    dataset.AcquisitionDateTime = "20200301101112.5+0100"
    code, item = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", CANARY
    item.PatientName, item.ReferencedSOPClassUID = CANARY, dataset.SOPClassUID
    item.ReferencedSOPInstanceUID = other or "1.2.3.4"
    item.PurposeOfReferenceCodeSequence = Sequence([code])
    dataset.ReferencedImageSequence = Sequence([item])
    deep = Dataset()
    deep.AnatomicRegionSequence = Sequence([code])
    deep.private_block(0x0099, CANARY, create=True).add_new(1, "LO", CANARY)
    dataset.FrameAnatomySequence = Sequence([deep])
    dataset.RequestAttributesSequence = Sequence([code])
    dataset.private_block(0x0099, CANARY, create=True).add_new(1, "OB", CANARY.encode() + b" ")
    dataset.add_new(0x00101FFE, "LO", CANARY)  # DICOM knows no such attribute
    dataset.add_new(0x60003000, "OW", CANARY.encode() + b" ")
    dataset.add_new(0x60004000, "LT", CANARY)
    dataset.add_new(0xFFFCFFFC, "OB", CANARY.encode() + b" ")
    dataset.preamble = CANARY.encode().ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = CANARY
    dataset.file_meta.ImplementationVersionName = CANARY
    return dataset
