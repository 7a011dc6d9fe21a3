"""Measure de-identification speed in characters per second of CPU time, one core, beside Presidio on blank pipelines.

Run: ``python tests/benchmarks/bench_deid_text.py [megabytes]``. Texts are invented; notes of about 1.2k characters,
half Chinese, half English; each note has its own numbers, names and dates so that no cache helps.
"""

from __future__ import annotations

import random
import statistics
import sys
import time

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

from medarchive_analytics.deid import KnownPerson, SurrogateKey, TextDeidentifier, load_policy

ZH = (
    "姓名：{name}  性别：女  年龄：{age}岁  住院号：{no}  床号：{bed}床\n"
    "患者{name}，因“反复胸闷{n}天”于{y}年{m}月{d}日入院。既往高血压病史{n}年，口服缬沙坦80mg qd，血压控制可。"
    "否认糖尿病、冠心病史，否认肝炎、结核等传染病史，无药物过敏史。查体：体温36.{n}℃，脉搏8{n}次/分，呼吸18次/分，"
    "血压1{n}5/82mmHg，神志清，双肺呼吸音清，未闻及明显干湿性啰音，心律齐，各瓣膜听诊区未闻及病理性杂音，腹软无压痛。"
    "辅助检查：心电图示窦性心律，ST-T改变；肌钙蛋白I 0.0{n}ng/ml；血常规未见明显异常。诊疗经过：入院后完善相关检查，"
    "予抗血小板、调脂、改善循环等治疗，{m}月{d}日行冠状动脉造影，示前降支近段狭窄约{n}0%，植入支架1枚，术后安返病房。"
    "联系电话：{phone}。住址：江西省赣州市章贡区松涛路{bed}号。主管医师：郝思雨\n"
)
EN = (
    "Patient: {latin}  MRN: {no}  Date: {m}/{d}/{y}\n"
    "The patient is a {age}-year-old woman admitted with {n} days of chest tightness. Past history includes hypertension "
    "treated with valsartan 80 mg daily. She denies diabetes, coronary disease, hepatitis or tuberculosis. On examination "
    "temperature 36.{n}, pulse 8{n}, respirations 18, blood pressure 1{n}5/82. Lungs are clear, rhythm is regular, no "
    "murmur, abdomen soft and not tender. Electrocardiogram shows sinus rhythm with ST-T changes; troponin I 0.0{n} ng/ml. "
    "She received antiplatelet and lipid-lowering therapy. Coronary angiography showed a {n}0% stenosis of the left anterior "
    "descending artery and one stent was placed; she returned to the ward in stable condition. Seen by Dr. Tomlinson. "
    "Contact {phone_us}. Discharge instructions were reviewed; follow up in the clinic in two weeks.\n"
)


def make(megabytes: float) -> list[tuple[str, KnownPerson]]:
    """Return invented notes with their persons."""
    rng, out, size = random.Random(11), [], 0
    while size < megabytes * 1_000_000:
        values = {
            "name": rng.choice("邹熊孟秦") + rng.choice(["丽萍", "建军", "晓燕", "国强"]), "latin": "Nora Pellworth",
            "no": rng.randint(10_000_000, 99_999_999), "age": rng.randint(30, 88), "bed": rng.randint(1, 60),
            "n": rng.randint(2, 9), "y": 2023, "m": rng.randint(1, 12), "d": rng.randint(1, 28),
            "phone": 13_000_000_000 + rng.randint(0, 10**9 - 1), "phone_us": f"(617) 555-{rng.randint(1000, 9999)}",
        }  # fmt: skip
        text = ZH.format(**values) * 2 + EN.format(**values)
        person = KnownPerson.from_rows(
            {
                "mrn": str(values["no"]),
                "name": values["name"],
                "name_latin": values["latin"],
                "phone": str(values["phone"]),
            }
        )
        out.append((text, person))
        size += len(text)
    return out


def median_rate(run, size: int, times: int = 3) -> float:
    """Return the median of characters per CPU second."""
    rates = []
    for _ in range(times):
        start = time.process_time()
        run()
        rates.append(size / (time.process_time() - start))
    return statistics.median(rates)


class Blank(SpacyNlpEngine):
    """Presidio's own engine on blank pipelines."""

    def __init__(self) -> None:
        super().__init__(
            models=[{"lang_code": "en", "model_name": "blank"}, {"lang_code": "zh", "model_name": "blank"}]
        )
        self.nlp = {"en": spacy.blank("en"), "zh": spacy.blank("zh")}

    def load(self) -> None:
        """Nothing to load."""


def main() -> None:
    """Print both rates."""
    notes = make(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
    size = sum(len(text) for text, _ in notes)
    ours = TextDeidentifier(load_policy(), SurrogateKey(b"benchmark-secret-0123456789"))

    def run_ours() -> None:
        for text, person in notes:
            ours.deidentify(text, person)

    registry = RecognizerRegistry(supported_languages=["en", "zh"])
    registry.load_predefined_recognizers(languages=["en", "zh"])
    presidio = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en", "zh"])
    part = notes[: max(1, len(notes) // 10)]

    def run_presidio() -> None:
        for text, _ in part:
            presidio.analyze(text, language="en")

    print(f"{len(notes)} notes, {size} characters")
    print(f"medarchive detect + rewrite + audit: {median_rate(run_ours, size):,.0f} characters/s")
    part_size = sum(len(text) for text, _ in part)
    print(f"presidio default registry, detect only: {median_rate(run_presidio, part_size):,.0f} characters/s")


if __name__ == "__main__":
    main()
