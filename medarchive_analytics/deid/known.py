"""What the hospital already knows of a patient and of itself: the dictionaries of known-identifier matching."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from .lexicon import word_set

_HAN = re.compile("[\u3400-\u9fff]")
_NOTHING = {"", "无", "不详", "未知", "none", "unknown", "n/a", "na", "null", "-"}


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    out: dict[str, None] = {}
    for value in values:
        for item in value if isinstance(value, list | tuple | set) else (value,):
            text = "" if item is None else str(item).strip()
            if text.lower() not in _NOTHING:
                out[text] = None
    return tuple(out)


def _days(values: Iterable[object]) -> tuple[dt.date, ...]:
    out: dict[dt.date, None] = {}
    for value in values:
        if isinstance(value, dt.datetime):
            out[value.date()] = None
        elif isinstance(value, dt.date):
            out[value] = None
        elif isinstance(value, str) and value.strip():
            try:
                out[dt.date.fromisoformat(value.strip()[:10])] = None
            except ValueError:
                continue
    return tuple(sorted(out))


@dataclass(frozen=True, repr=False)
class KnownPerson:
    """All identifiers the archive holds of one patient.

    Parameters
    ----------
    mrn : str
        Medical record number; also the key of the person's surrogates.
    names, latin_names, contact_names : tuple of str
        Names in the script they were written in; contacts are relatives.
    birth_date : datetime.date or None
        Date of birth.
    ids : tuple of str
        Numbers: resident id, other ids, insurance, admission and visit numbers, specimen and device numbers.
    phones, emails, addresses, organizations, beds, cities : tuple of str
        As written; ``organizations`` holds the employer.
    encounter_dates : tuple of datetime.date
        Days of the visits; they date a "5 March" that names no year.
    """

    mrn: str
    names: tuple[str, ...] = ()
    latin_names: tuple[str, ...] = ()
    birth_date: dt.date | None = None
    ids: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    contact_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    beds: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    encounter_dates: tuple[dt.date, ...] = field(default=())

    def __repr__(self) -> str:
        n = len(self.names) + len(self.latin_names) + len(self.ids) + len(self.phones) + len(self.contact_names)
        return f"KnownPerson(<{n} identifiers hidden>)"

    @classmethod
    def from_rows(
        cls, patient_row: dict, encounter_rows: Iterable[dict] = (), extra_ids: Iterable[object] = ()
    ) -> KnownPerson:
        """Build the dictionary of one patient from filing-standard rows.

        Parameters
        ----------
        patient_row : dict
            Row of ``patient``; values may also be lists.
        encounter_rows : iterable of dict
            The patient's rows of ``encounter``.
        extra_ids : iterable
            Further numbers known of the person, e.g. specimen numbers.

        Returns
        -------
        KnownPerson
            Empty and "unknown" values left out.
        """
        get = patient_row.get
        visits = list(encounter_rows)
        mrns = _texts([get("mrn")])
        births = _days(_texts([get("birth_date")]))
        ids = [*mrns, get("resident_id"), get("other_id"), get("insurance_no"), *extra_ids]
        for visit in visits:
            ids += [visit.get("admission_no"), visit.get("encounter_id")]
        return cls(
            mrn=mrns[0] if mrns else "",
            names=_texts([get("name")]),
            latin_names=_texts([get("name_latin")]),
            birth_date=births[0] if births else None,
            ids=_texts(part for value in _texts(ids) for part in re.split(r"[;,|\s]+(?=\S)|；|，", value)),
            phones=_texts([get("phone"), get("contact_phone")]),
            addresses=_texts([get("address"), get("postcode")]),
            contact_names=_texts([get("contact_name")]),
            emails=_texts([get("email")]),
            organizations=_texts([get("employer")]),
            beds=_texts(visit.get("bed") for visit in visits),
            cities=_texts([get("city")]),
            encounter_dates=_days(
                value for visit in visits for value in (visit.get("admit_time"), visit.get("discharge_time"))
            ),
        )


@dataclass(frozen=True, repr=False)
class SiteKnowledge:
    """Names and telephones of the hospital's own staff and of institutions.

    Parameters
    ----------
    staff_names, staff_latin : tuple of str
        Names of staff.
    organizations : tuple of str
        Names of institutions.
    phones, addresses, staff_ids : tuple of str
        Numbers and addresses of staff and institutions.
    """

    staff_names: tuple[str, ...] = ()
    staff_latin: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    staff_ids: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"SiteKnowledge(<{len(self.staff_names)} staff, {len(self.organizations)} organizations hidden>)"

    @classmethod
    def from_frames(cls, staff: pl.DataFrame | None = None, organization: pl.DataFrame | None = None) -> SiteKnowledge:
        """Build the site's dictionary from the filing tables ``staff`` and ``organization``.

        Parameters
        ----------
        staff, organization : polars.DataFrame or None
            Identified frames of the filing standard.

        Returns
        -------
        SiteKnowledge
            Distinct non-empty values.
        """

        def column(frame: pl.DataFrame | None, name: str) -> list:
            return (
                [] if frame is None or name not in frame.columns else frame[name].unique(maintain_order=True).to_list()
            )

        return cls(
            staff_names=_texts(column(staff, "name")),
            staff_latin=_texts(column(staff, "name_latin")),
            organizations=_texts(column(organization, "name")),
            phones=_texts([*column(staff, "phone"), *column(organization, "phone")]),
            addresses=_texts(column(organization, "address")),
            staff_ids=_texts(column(staff, "staff_id")),
        )


def is_han(text: str) -> bool:
    """Tell whether a text has a Han character.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    bool
        True when one is there.
    """
    return _HAN.search(text) is not None


def split_han_name(name: str) -> tuple[str, str]:
    """Split a Chinese name into family and given name.

    Parameters
    ----------
    name : str
        Two to four Han characters; a dotted name ("阿卜杜拉·买买提") splits at the dot.

    Returns
    -------
    tuple of (str, str)
        Family name and given name; the given name may be empty.

    Examples
    --------
    >>> split_han_name("欧阳志强")
    ('欧阳', '志强')
    """
    if "·" in name:
        first, rest = name.split("·", 1)
        return first, rest
    if len(name) >= 3 and name[:2] in word_set("compound_surnames"):
        return name[:2], name[2:]
    return name[:1], name[1:]
