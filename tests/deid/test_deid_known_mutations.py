"""R13: no known identifier survives, however it is spaced, folded, shortened or mistyped (mutation suite)."""

# ruff: noqa: E501  -- tables of rows read better unbroken

import datetime as dt
import random
import re

from medarchive_analytics.deid import KnownPerson, SurrogateKey, TextDeidentifier, load_policy
from medarchive_analytics.deid.recognizers.resident_id import check_character

FAMILY = ["赵", "钱", "孙", "周", "吴", "郑", "冯", "陈", "欧阳", "司马", "上官", "林"]
GIVEN = ["晓峰", "丽娟", "志远", "文博", "秀英", "俊杰", "思雨", "海燕", "玉兰", "子轩"]
PINYIN_FAMILY = ["Zhao", "Qian", "Sun", "Zhou", "Wu", "Zheng", "Feng", "Chen", "Ouyang", "Sima", "Shangguan", "Lin"]
PINYIN_GIVEN = ["Xiaofeng", "Lijuan", "Zhiyuan", "Wenbo", "Xiuying", "Junjie", "Siyu", "Haiyan", "Yulan", "Zixuan"]
CARRIERS = [
    "夜间值班时{}由推床送入监护室，生命体征平稳。",
    "今早电询{}，自述已无不适，继续口服原方案。",
    "术中冰冻结果已口头知会{}，其表示理解。",
    "Seen overnight; {} was comfortable and afebrile.",
    "交接内容：{}；引流量约 50ml，色淡红。",
    "Reached {} by the discharge desk, instructions repeated.",
]


def _person(rng: random.Random, i: int) -> KnownPerson:
    f, g = rng.randrange(len(FAMILY)), rng.randrange(len(GIVEN))
    born = dt.date(rng.randint(1930, 2005), rng.randint(1, 12), rng.randint(1, 28))
    body = f"99{rng.randint(1000, 9999)}{born:%Y%m%d}{rng.randint(100, 999)}"
    return KnownPerson.from_rows(
        {
            "mrn": f"{rng.randint(10_000_000, 99_999_999):010d}",
            "name": FAMILY[f] + GIVEN[g],
            "name_latin": f"{PINYIN_FAMILY[f]} {PINYIN_GIVEN[g]}",
            "birth_date": born,
            "resident_id": body + check_character(body),
            "phone": f"13{rng.randint(100_000_000, 999_999_999)}",
            "insurance_no": f"K{rng.randint(10_000_000, 99_999_999)}",
            "address": f"浙江省杭州市拱墅区晴岚路{rng.randint(10, 99)}号{rng.randint(1, 9)}幢{rng.randint(101, 999)}室",
            "contact_name": rng.choice("高梁宋唐") + rng.choice(GIVEN),
        },
        [{"admission_no": f"ZY{rng.randint(100_000, 999_999)}", "encounter_id": f"V{i:09d}"}],
    )


def _full(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _typo(rng: random.Random, text: str) -> str:
    at = rng.choice([i for i, c in enumerate(text) if c.isdigit()])
    return text[:at] + str((int(text[at]) + rng.randint(1, 9)) % 10) + text[at + 1 :]


def _mutations(rng: random.Random, p: KnownPerson) -> list[tuple[str, str]]:
    name, latin = p.names[0], p.latin_names[0]
    fam, given = latin.split()
    out = [
        ("exact", name), ("spaced", " ".join(name)), ("wide_space", "　".join(name)), ("zero_width", "\u200b".join(name)),
        ("given", name[-2:]), ("broken", name[:1] + "\n" + name[1:]), ("titled", name[:-2] + "女士"),
        ("contact", p.contact_names[0]), ("contact_spaced", " ".join(p.contact_names[0])),
        ("pinyin", latin), ("pinyin_upper", latin.upper()), ("pinyin_lower", latin.lower()), ("pinyin_swapped", f"{given} {fam}"),
        ("pinyin_comma", f"{fam.upper()}, {given}"), ("pinyin_joined", fam + given), ("pinyin_full_width", _full(latin)),
        ("pinyin_hyphen", f"{given[:2]}-{given[2:]} {fam}"), ("given_latin", given),
        ("address", p.addresses[0]), ("address_part", re.split("区", p.addresses[0])[1]), ("address_spaced", p.addresses[0].replace("区", "区 ")),
    ]  # fmt: skip
    for number in (*p.ids[:3], p.ids[-2], p.phones[0]):
        if len(number) < 6:
            continue
        out += [("number", number), ("number_full", _full(number)), ("number_lower", number.lower())]
        out += [("number_spaced", " ".join(number)), ("number_typo", _typo(rng, number))]
        out += [("number_broken", number[:4] + "\n" + number[4:]), ("number_hyphen", f"{number[:3]}-{number[3:]}")]
    phone = p.phones[0]
    out += [
        ("phone_344", f"{phone[:3]} {phone[3:7]} {phone[7:]}"),
        ("phone_cc", "+86" + phone),
        ("mrn_stripped", p.mrn.lstrip("0")),
    ]
    day = p.birth_date
    out += [
        ("birth", f"{day:%Y-%m-%d}"),
        ("birth_zh", f"{day.year}年{day.month}月{day.day}日"),
        ("birth_compact", f"{day:%Y%m%d}"),
    ]
    out += [
        ("birth_us", f"{day:%m/%d/%Y}"),
        ("birth_en", f"{day:%B} {day.day}, {day.year}"),
        ("birth_dot", f"{day.year}.{day.month}.{day.day}"),
    ]
    return out


def leaks(written: str, output: str) -> bool:
    """A plant leaks when any letter or digit group of it stands in the output as it was written."""
    return written in output


def test_no_known_identifier_survives_r13():
    """R13: 0 leaks of at least 2,000 planted known identifiers; every plant lies wholly inside found spans."""
    rng = random.Random(20260301)
    deidentifier = TextDeidentifier(load_policy(), SurrogateKey(b"mutation-suite-secret-0123456789"))
    planted, missed, quarantined = 0, [], 0
    for i in range(50):
        person = _person(rng, i)
        for kind, written in _mutations(rng, person):
            carrier = rng.choice(CARRIERS)
            text = carrier.format(written)
            start = carrier.index("{}")
            result = deidentifier.deidentify(text, person)
            planted += 1
            quarantined += result.is_quarantined
            covered = {j for s in result.spans for j in range(s.start, s.end)}
            title = 2 if kind == "titled" else 0
            want = [j for j in range(start, start + len(written) - title) if text[j].isalnum()]
            if any(j not in covered for j in want) or leaks(written, result.text):
                missed.append((kind, carrier[:6]))
    assert planted >= 2000
    assert not missed, f"{len(missed)} of {planted} leaked, e.g. {sorted(set(missed))[:12]}"
    assert quarantined / planted <= 0.05


def test_the_harness_catches_a_planted_fault():
    """R13: with de-identification left out, the same harness sees the leak."""
    rng = random.Random(5)
    person = _person(rng, 0)
    text = CARRIERS[0].format(person.names[0])
    assert leaks(person.names[0], text)
    blind = TextDeidentifier(load_policy(), SurrogateKey(b"mutation-suite-secret-0123456789"))
    assert leaks(person.names[0], blind.deidentify(text, None).text)


def test_english_names_with_digits_in_every_order_r13():
    """R13: names such as "Marine542 Ai120 Upton904" are hidden whole, in part and in any order."""
    person = KnownPerson.from_rows({"mrn": "m-1", "name": "Corla77 Ai120 Huxtead904", "contact_name": "Bo9 Merriam"})
    deidentifier = TextDeidentifier(load_policy(), SurrogateKey(b"x" * 32))
    for form in ("Corla77 Ai120 Huxtead904", "HUXTEAD904, Corla77", "Ai120 Huxtead904", "corla77 huxtead904", "Corla77", "Huxtead",
                 "Mrs. Huxtead904", "C. Huxtead904", "Corla77\nHuxtead904", "Merriam", "Huxtaed904"):  # fmt: skip
        out = deidentifier.deidentify(f"Then {form} walked 20 m unaided.", person).text
        for token in re.findall(r"[A-Za-z]{3,}[0-9]*", form):
            if token not in ("Mrs",):
                assert token not in out, "a known name token survived"
        assert "walked 20 m unaided" in out


def test_different_people_get_different_surrogates_and_repr_hides_r14():
    """R14: surrogates are consistent for one person and differ between persons; repr shows nothing."""
    key, policy = SurrogateKey(b"y" * 32), load_policy()
    a = KnownPerson.from_rows({"mrn": "a", "name": "周文博"})
    b = KnownPerson.from_rows({"mrn": "b", "name": "周文博"})
    deidentifier = TextDeidentifier(policy, key)
    first, again, other = (deidentifier.deidentify("患者周文博，术后平稳。", p).text for p in (a, a, b))
    assert first == again != other
    assert "周文博" not in repr(a) + repr(key) + repr(deidentifier) + repr(deidentifier.deidentify("周文博", a))
    given = deidentifier.deidentify("嘱文博多饮水。", a).text
    assert first[3:5] in given, "the given name alone takes the given part of the same surrogate"
