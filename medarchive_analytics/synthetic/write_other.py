"""Smaller deliveries: HL7 v2 laboratory messages, DICOM images, scanned pages, and the truth."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from ..core.errors import UserError
from .config import SyntheticHospital

_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc",
    "/usr/share/fonts/truetype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/simsun.ttc",
)
_HL7_ESCAPE = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": " "}
)
_SEX = {"male": "M", "female": "F", "other": "O", "unknown": "U"}


def _of(hospital: SyntheticHospital, table: str, mrns: Iterable[str] | None) -> pl.DataFrame:
    frame = hospital.tables[table]
    return (
        frame if mrns is None else frame.filter(pl.col("mrn").is_in(pl.Series(list(mrns), dtype=pl.String).implode()))
    )


def write_hl7v2(
    hospital: SyntheticHospital, folder: Path | str, mrns: Iterable[str] | None = None, limit: int = 200
) -> list[Path]:
    """Write laboratory results as HL7 v2.5.1 ORU^R01 messages, one per specimen.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    folder : pathlib.Path or str
        Where to write; made if missing.
    mrns : iterable of str, optional
        Persons to write; default: everybody.
    limit : int
        At most so many messages.

    Returns
    -------
    list of pathlib.Path
        One ``.hl7`` file per message: UTF-8, segments ended by CR.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    people = {r["mrn"]: r for r in _of(hospital, "patient", mrns).iter_rows(named=True)}
    labs = _of(hospital, "measurement", mrns).filter(pl.col("specimen_no").is_not_null())
    paths = []
    for number, group in enumerate(labs.partition_by("specimen_no", maintain_order=True)[:limit] if limit else []):
        rows = group.rows(named=True)
        path = folder / f"ORU_{number + 1:06d}.hl7"
        path.write_bytes(_oru(people[rows[0]["mrn"]], rows, number + 1).encode())
        paths.append(path)
    return paths


def _stamp(when: datetime) -> str:
    return f"{when:%Y%m%d%H%M%S}"


def _oru(person: dict, rows: list[dict], number: int) -> str:
    text = lambda v: "" if v is None else str(v).translate(_HL7_ESCAPE)  # noqa: E731
    first = rows[0]
    at = _stamp(first["time"])
    segments = [
        f"MSH|^~\\&|LIS|LAB|MEDARCHIVE|ARCHIVE|{at}||ORU^R01^ORU_R01|MSG{number:08d}|P|2.5.1|||||CHN|UNICODE UTF-8",
        f"PID|1||{text(person['mrn'])}^^^HOSPITAL^MR||{text(person['name'])}||{person['birth_date']:%Y%m%d}|{_SEX[person['sex']]}|||{text(person['address'])}||{text(person['phone'])}",
        f"PV1|1|I|||||||||||||||||{text(first['encounter_id'])}",
        f"OBR|1||{text(first['specimen_no'])}|LAB^Laboratory^L|||{at}|||||||{at}||||||||{at}|||F",
    ]
    for i, r in enumerate(rows, 1):
        low, high = r["ref_low"], r["ref_high"]
        limits = (
            ""
            if low is None and high is None
            else f"{'' if low is None else f'{low:g}'}-{'' if high is None else f'{high:g}'}"
        )
        system = "LN" if r["code_system"] == "LOINC" else "L"
        flag = {"high": "H", "low": "L", "normal": "N"}.get(r["flag"] or "", "")
        segments.append(
            f"OBX|{i}|NM|{text(r['item_code'])}^{text(r['item_name'])}^{system}||{r['value_number']:g}|{text(r['unit'])}|{limits}|{flag}|||F|||{_stamp(r['time'])}"
        )
    return "\r".join(segments) + "\r"


def write_dicom(
    hospital: SyntheticHospital, folder: Path | str, mrns: Iterable[str] | None = None, limit: int = 20
) -> list[Path]:
    """Write small CT and DX images whose headers carry the patient's identifiers.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    folder : pathlib.Path or str
        Where to write; made if missing.
    mrns : iterable of str, optional
        Persons to write; default: everybody.
    limit : int
        At most so many images, one per inpatient stay.

    Returns
    -------
    list of pathlib.Path
        One ``.dcm`` file each, 64 x 64 pixels, explicit VR little endian.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    people = {r["mrn"]: r for r in _of(hospital, "patient", mrns).iter_rows(named=True)}
    staff = {r["staff_id"]: r["name"] for r in hospital.tables["staff"].iter_rows(named=True)}
    own = hospital.tables["organization"]["name"][0]
    stays = _of(hospital, "encounter", mrns).filter(pl.col("visit_type") == "inpatient").head(limit)
    paths = []
    for number, stay in enumerate(stays.iter_rows(named=True), 1):
        paths.append(folder / f"IMG{number:06d}.dcm")
        _dicom_image(people[stay["mrn"]], stay, staff[stay["attending_doctor"]], own, number).save_as(
            paths[-1], enforce_file_format=True
        )
    return paths


def _dicom_image(person: dict, stay: dict, doctor: str, institution: str, number: int):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    is_ct = number % 2 == 1
    uid = lambda part: generate_uid(entropy_srcs=[stay["encounter_id"], part])  # noqa: E731
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = (
        CTImageStorage if is_ct else DigitalXRayImageStorageForPresentation
    )
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid("image")
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = (
        uid("study"),
        uid("series"),
        uid("frame"),
    )
    image.SpecificCharacterSet = "ISO_IR 192"
    image.Modality = "CT" if is_ct else "DX"
    image.PatientName, image.PatientID = (person["name"].replace(" ", "^"), person["mrn"])
    image.PatientBirthDate, image.PatientSex = f"{person['birth_date']:%Y%m%d}", _SEX[person["sex"]]
    image.PatientAge, image.PatientAddress, image.PatientTelephoneNumbers = (
        f"{stay['age_years']:03d}Y",
        person["address"],
        person["phone"],
    )
    image.OtherPatientIDs = person["resident_id"] or person["other_id"]
    image.StudyDate = image.SeriesDate = image.ContentDate = f"{stay['admit_time']:%Y%m%d}"
    image.StudyTime = image.ContentTime = f"{stay['admit_time']:%H%M%S}"
    image.AccessionNumber, image.StudyID = f"A{number:08d}", f"{number}"
    image.InstitutionName, image.ReferringPhysicianName = institution, doctor.replace(" ", "^")
    image.StudyDescription = "CT head" if is_ct else "Chest X-ray"
    image.BurnedInAnnotation, image.SeriesNumber, image.InstanceNumber = "NO", 1, 1
    rng = np.random.default_rng(number)
    x, y = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 64))
    pixels = (900 * (x**2 + y**2 < 0.8) + 40 * rng.random((64, 64))).astype(np.uint16)
    image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = 64, 64, 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = pixels.tobytes()
    return image


def find_font() -> Path:
    """Return a font file with Chinese characters.

    Returns
    -------
    pathlib.Path
        The first of the usual places that exists.

    Raises
    ------
    UserError
        If none is installed.
    """
    for place in _FONTS:
        if Path(place).is_file():
            return Path(place)
    raise UserError(
        "no font with Chinese characters found; "
        "pages need Noto Sans CJK or WenQuanYi: install one (Debian: fonts-noto-cjk or fonts-wqy-zenhei)"
    )


def write_pages(
    hospital: SyntheticHospital,
    folder: Path | str,
    mrns: Iterable[str] | None = None,
    limit: int = 20,
    font: Path | str | None = None,
) -> list[Path]:
    """Render notes as page images, as a scanner would deliver them.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    folder : pathlib.Path or str
        Where to write; made if missing.
    mrns : iterable of str, optional
        Persons to write; default: everybody.
    limit : int
        At most so many pages, one per note.
    font : pathlib.Path or str, optional
        Font file; default: the first known one with Chinese characters.

    Returns
    -------
    list of pathlib.Path
        PNG files (A4 at 150 dpi, grey), named by note.

    Raises
    ------
    UserError
        If no font is given and none with Chinese characters is installed.
    """
    from PIL import Image, ImageDraw, ImageFont

    face = ImageFont.truetype(str(font or find_font()), 22)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for note_id, text in _of(hospital, "note", mrns).head(limit).select("note_id", "text").iter_rows():
        page = Image.new("L", (1240, 1754), 255)
        draw = ImageDraw.Draw(page)
        for i, line in enumerate(_wrap(text, face, 1080)):
            draw.text((80, 80 + 36 * i), line, font=face, fill=20)
        paths.append(folder / f"{note_id}.png")
        page.save(paths[-1])
    return paths


def _wrap(text: str, face, width: int) -> list[str]:
    lines = []
    for line in text.split("\n"):
        current = ""
        for character in line:
            if face.getlength(current + character) > width:
                lines.append(current)
                current = ""
            current += character
        lines.append(current)
    return lines


def write_truth(hospital: SyntheticHospital, folder: Path | str) -> dict[str, Path]:
    """Write the truth frames and the defect ledger as Parquet.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    folder : pathlib.Path or str
        Where to write; made if missing. Keep it away from what is being tested: it names everything.

    Returns
    -------
    dict of str to pathlib.Path
        File by frame name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, frame in {**hospital.truth, "defects": hospital.defects}.items():
        paths[name] = folder / f"{name}.parquet"
        frame.write_parquet(paths[name])
    return paths
