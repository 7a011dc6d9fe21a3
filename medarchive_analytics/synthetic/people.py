"""Invented persons, staff and institutions with identifiers that look real and cannot be."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from random import Random

RESIDENT_REGION = "99"
"""First digits of every synthetic resident number: no Chinese division, and no foreign residence permit, starts so."""
MOBILE_PREFIX = "154"
"""No Chinese operator has been given this prefix."""
LANDLINE_AREA = "0190"
"""Not an area code in use."""
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@cache
def names() -> dict:
    """Return the name and place lists of ``people.toml``.

    Returns
    -------
    dict
        As parsed; treat as read-only.
    """
    return tomllib.loads(Path(__file__).with_name("people.toml").read_text(encoding="utf-8"))


def resident_check_digit(first17: str) -> str:
    """Return the GB 11643-1999 check character (ISO 7064 MOD 11-2).

    Parameters
    ----------
    first17 : str
        The first 17 digits.

    Returns
    -------
    str
        One of ``0``-``9`` or ``X``.

    Examples
    --------
    >>> resident_check_digit("11010519491231002")
    'X'
    """
    total = sum(int(d) * w for d, w in zip(first17, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def resident_id(rng: Random, birth: date, is_male: bool) -> str:
    """Return a resident number with a valid check character in a region that does not exist.

    Parameters
    ----------
    rng : random.Random
        Source of chance.
    birth : datetime.date
        Date of birth.
    is_male : bool
        Decides the parity of the sequence number.

    Returns
    -------
    str
        18 characters.
    """
    sequence = rng.randrange(1, 499) * 2 + (1 if is_male else 0)
    first17 = f"{RESIDENT_REGION}{rng.randrange(1, 99):02d}{rng.randrange(1, 99):02d}{birth:%Y%m%d}{sequence:03d}"
    return first17 + resident_check_digit(first17)


def mobile(rng: Random) -> str:
    """Return an 11-digit mobile number on a prefix nobody was given."""
    return f"{MOBILE_PREFIX}{rng.randrange(10**8):08d}"


def english_phone(rng: Random) -> str:
    """Return a North American number from the range kept for fiction (555-01xx)."""
    return f"({rng.randrange(201, 990)}) 555-01{rng.randrange(100):02d}"


@cache
def _surname_weights() -> tuple[list, list]:
    rows = names()["surnames"]
    return rows, [r[2] for r in rows]


def chinese_name(rng: Random, is_male: bool, family: list | None = None) -> tuple[str, str, list]:
    """Return an invented Chinese name.

    Parameters
    ----------
    rng : random.Random
        Source of chance.
    is_male : bool
        Which given-name characters to use.
    family : list, optional
        Surname row to keep (for relatives).

    Returns
    -------
    tuple of (str, str, list)
        Name in characters, in pinyin (``Zhang Weimin``), and the surname row.
    """
    if family is None and rng.random() < 0.006:
        han, latin = rng.choice(names()["dotted"])
        return han, latin.title(), []
    if not family:
        rows, weights = _surname_weights()
        family = rng.choices(rows, weights)[0]
    pool = names()["given_male" if is_male else "given_female"]
    given = [rng.choice(pool)] if rng.random() < 0.2 else [rng.choice(pool), rng.choice(pool)]
    han = family[0] + "".join(g[0] for g in given)
    return han, f"{family[1].capitalize()} {''.join(g[1] for g in given).capitalize()}", family


def english_name(rng: Random, is_male: bool, family: str = "") -> tuple[str, str]:
    """Return an invented English name.

    Parameters
    ----------
    rng : random.Random
        Source of chance.
    is_male : bool
        Which given names to use.
    family : str
        Family name to keep (for relatives).

    Returns
    -------
    tuple of (str, str)
        ``Given Family`` and the family name.
    """
    family = family or rng.choice(names()["english_family"])
    given = rng.choice(names()["english_male" if is_male else "english_female"])
    middle = f" {rng.choice('ABCDEFGHJKLMPRSTW')}." if rng.random() < 0.2 else ""
    return f"{given}{middle} {family}", family


def chinese_address(rng: Random) -> tuple[str, str, str]:
    """Return an invented Chinese street address.

    Parameters
    ----------
    rng : random.Random
        Source of chance.

    Returns
    -------
    tuple of (str, str, str)
        Full address as written, province, city (the last two are real division names).
    """
    n = names()
    province, city = rng.choice(n["places"])
    head = f"{province}{city}{rng.choice(n['districts'])}"
    if rng.random() < 0.2:
        return f"{head}{rng.choice(n['villages'])}{rng.randrange(1, 12)}组{rng.randrange(1, 99)}号", province, city
    flat = f"{rng.randrange(1, 30)}栋{rng.randrange(1, 6)}单元{rng.randrange(1, 33)}{rng.randrange(1, 5):02d}室"
    street = f"{rng.choice(n['streets'])}{rng.randrange(1, 400)}号"
    estate = rng.choice(n["estates"]) if rng.random() < 0.7 else ""
    return f"{head}{street}{estate}{flat}", province, city


def make_patient(rng: Random, person: dict) -> dict:
    """Return one row of the filing table ``patient`` for given sex, birth date and campus.

    Parameters
    ----------
    rng : random.Random
        The person's own source of chance.
    person : dict
        ``mrn``, ``is_male``, ``birth`` (date), ``is_english`` (campus).

    Returns
    -------
    dict
        All columns of the filing table but ``death_time``.
    """
    row = _english_patient(rng, person) if person["is_english"] else _chinese_patient(rng, person)
    age = 2020 - person["birth"].year
    marital = (
        "single" if age < 24 else rng.choices(["married", "divorced", "widowed", "unknown"], [80, 6, 1 + age / 8, 2])[0]
    )
    return {
        "mrn": person["mrn"],
        "sex": "male" if person["is_male"] else "female",
        "birth_date": person["birth"],
        "marital_status": marital,
        "language": "en" if person["is_english"] else "zh",
        **row,
    }


def _chinese_patient(rng: Random, person: dict) -> dict:
    n, is_male = names(), person["is_male"]
    name, latin, family = chinese_name(rng, is_male)
    address, province, city = chinese_address(rng)
    relation, female_word, male_word = rng.choice(n["relations_zh"])
    contact_male = (not is_male) if relation == "配偶" else rng.random() < 0.5
    contact, _, _ = chinese_name(rng, contact_male, family if relation != "配偶" else None)
    rows = n["ethnicities"]
    return {
        "name": name,
        "name_latin": latin,
        "resident_id": resident_id(rng, person["birth"], is_male),
        "other_id": f"EJ{rng.randrange(10**7):07d}" if rng.random() < 0.03 else None,
        "insurance_no": f"{rng.choice('ABCDEFGHY')}{rng.randrange(10**8):08d}" if rng.random() < 0.9 else None,
        "phone": mobile(rng),
        "email": f"{latin.split()[0].lower()}{rng.randrange(1000, 99999)}@example.com" if rng.random() < 0.1 else None,
        "address": address,
        "city": city,
        "province": province,
        "postcode": f"99{rng.randrange(10**4):04d}",
        "contact_name": contact,
        "contact_relation": male_word if contact_male else female_word,
        "contact_phone": mobile(rng)
        if rng.random() < 0.85
        else f"{LANDLINE_AREA}-{rng.randrange(2 * 10**6, 9 * 10**6)}",
        "employer": rng.choice(n["employers"]) if rng.random() < 0.5 else None,
        "occupation": rng.choice(n["occupations"]),
        "ethnicity": rng.choices([r[0] for r in rows], [r[1] for r in rows])[0],
    }


def _english_patient(rng: Random, person: dict) -> dict:
    n, is_male = names(), person["is_male"]
    if rng.random() < 0.3:
        _, latin, _ = chinese_name(rng, is_male)
        name, family = latin, ""
    else:
        name, family = english_name(rng, is_male)
        parts = name.split()
        latin = " ".join(
            [" ".join(parts[len(parts) - len(family.split()) :]), *parts[: len(parts) - len(family.split())]]
        )
    state, city = rng.choice(n["english_places"])
    flat = f", Apt {rng.randrange(1, 40)}{rng.choice('ABCD')}" if rng.random() < 0.5 else ""
    relation, female_word, male_word = rng.choice(n["relations_en"])
    contact_male = (not is_male) if relation == "spouse" else rng.random() < 0.5
    social = rng.random() < 0.6
    return {
        "name": name,
        "name_latin": latin,
        # A social security number never starts with 666.
        "resident_id": f"666-{rng.randrange(1, 99):02d}-{rng.randrange(1, 9999):04d}"
        if social
        else resident_id(rng, person["birth"], is_male),
        "other_id": f"XP{rng.randrange(10**7):07d}" if rng.random() < 0.4 else None,
        "insurance_no": f"MBR{rng.randrange(10**9):09d}",
        "phone": english_phone(rng),
        "email": f"{name.split()[0].lower()}.{rng.randrange(100, 9999)}@example.org" if rng.random() < 0.6 else None,
        "address": f"{rng.randrange(10, 9900)} {rng.choice(n['english_streets'])}{flat}",
        "city": city,
        "province": state,
        "postcode": f"000{rng.randrange(100):02d}",
        "contact_name": english_name(rng, contact_male, family)[0],
        "contact_relation": male_word if contact_male else female_word,
        "contact_phone": english_phone(rng),
        "employer": rng.choice(n["english_employers"]) if rng.random() < 0.6 else None,
        "occupation": rng.choice(n["english_occupations"]),
        "ethnicity": None,
    }


def make_staff(rng: Random) -> list[dict]:
    """Return the staff of both campuses: filing columns plus campus, department key, role and writing-style draw.

    Parameters
    ----------
    rng : random.Random
        Source of chance.

    Returns
    -------
    list of dict
        Rows with the columns of the filing table ``staff`` and the private keys ``_english``, ``_department``, ``_nurse``.
    """
    n, rows = names(), []
    for english in (False, True):
        for key, (zh, en) in n["departments"].items():
            for i in range(9):
                is_nurse, is_male = i >= 6, i < 6 and rng.random() < 0.55
                if english:
                    name, latin = english_name(rng, is_male)[0], None
                    title = "registered nurse" if is_nurse else n["titles_en"][i % 4]
                else:
                    name, latin, _ = chinese_name(rng, is_male)
                    title = "护士" if is_nurse else n["titles_zh"][i % 4]
                rows.append(
                    {
                        "staff_id": f"{'N' if is_nurse else 'D'}{len(rows) + 1001}",
                        "name": name,
                        "name_latin": latin,
                        "title": title,
                        "department": en if english else zh,
                        "phone": english_phone(rng) if english else mobile(rng),
                        "_english": english,
                        "_department": key,
                        "_nurse": is_nurse,
                    }
                )
    return rows


def make_organizations(rng: Random) -> list[dict]:
    """Return the hospital itself and the outside institutions that notes name.

    Parameters
    ----------
    rng : random.Random
        Source of chance.

    Returns
    -------
    list of dict
        Rows of the filing table ``organization``; the first Chinese and the first English row are the hospital's campuses.
    """
    n, rows = names(), []
    for english, key in ((False, "organizations"), (True, "english_organizations")):
        for name in n[key]:
            address = (
                f"{rng.randrange(10, 990)} {rng.choice(n['english_streets'])}, {rng.choice(n['english_places'])[1]}"
                if english
                else chinese_address(rng)[0].split("号")[0] + "号"
            )
            phone = english_phone(rng) if english else f"{LANDLINE_AREA}-{rng.randrange(2 * 10**6, 9 * 10**6)}"
            rows.append(
                {
                    "organization_id": f"ORG{len(rows) + 1:03d}",
                    "name": name,
                    "address": address,
                    "phone": phone,
                    "_english": english,
                }
            )
    return rows
