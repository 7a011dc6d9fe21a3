"""How does the emulated trial look? Altair charts, each drawn from a table that may be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

if TYPE_CHECKING:
    from .result import StudyResult

_WORDS = {
    "km": ("加权生存曲线", "Weighted survival by arm"),
    "love": ("加权前后标准化差", "Standardised mean differences before and after weighting"),
    "overlap": ("偏好评分分布", "Preference score by arm"),
    "forest": ("粗效应与调整后效应（风险差）", "Crude and adjusted risk differences"),
    "days": ("距时间零点天数", "Days from time zero"),
    "survival": ("未发生结局的概率", "Probability without the outcome"),
    "arm": ("方案", "Arm"),
    "risk": ("在观察人数", "At risk"),
    "smd": ("标准化均数差的绝对值", "Absolute standardised mean difference"),
    "before": ("加权前", "before"),
    "after": ("加权后", "after"),
    "state": ("阶段", "Stage"),
    "preference": ("偏好评分", "Preference score"),
    "share": ("人群占比", "Share of the arm"),
    "difference": ("风险差", "Risk difference"),
}


def _word(key: str, lang: str) -> str:
    return _WORDS[key][0 if lang == "zh" else 1]


def draw(result: StudyResult, name: str, lang: str) -> Any:
    """Draw one figure.

    Parameters
    ----------
    result : StudyResult
        The emulated trial.
    name : str
        ``km``, ``love``, ``overlap`` or ``forest``.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    altair chart
        With title, n, horizon, releases and verdict in the subtitle.
    """
    painters = {"km": _km, "love": _love, "overlap": _overlap, "forest": _forest}
    chart = painters[name](result, lang)
    return chart.properties(title=alt.TitleParams(_word(name, lang), subtitle=_caption(result, lang)))


def _caption(result: StudyResult, lang: str) -> list[str]:
    least = result.trial.thresholds.min_cell
    shown = [str(n) if n >= least else f"<{least}" for n in (result.n_treated, result.n_comparator)]
    title = result.trial.title_zh if lang == "zh" else result.trial.title_en
    releases = ", ".join(result.provenance["release_ids"])
    return [f"{title}; n = {shown[0]} + {shown[1]}; {releases}", result.reason(lang)]


def _arms(result: StudyResult, frame: pl.DataFrame, lang: str) -> pl.DataFrame:
    labels = {a.role: a.label_zh if lang == "zh" else a.label_en for a in result.trial.arms}
    return frame.with_columns(pl.col("arm").replace_strict(labels, return_dtype=pl.String).alias("arm"))


def _km(result: StudyResult, lang: str) -> Any:
    data = _arms(result, result.table("survival"), lang)
    arm = alt.Color("arm:N", title=_word("arm", lang))
    x = alt.X("time:Q", title=_word("days", lang), scale=alt.Scale(domain=[0, result.trial.follow_up.horizon_days]))
    base = alt.Chart(data).encode(x=x, color=arm)
    line = base.mark_line(interpolate="step-after").encode(y=alt.Y("survival:Q", title=_word("survival", lang)))
    band = base.mark_area(interpolate="step-after", opacity=0.15).encode(y="lower:Q", y2="upper:Q")
    risk = _arms(result, result.table("at_risk"), lang)
    text = pl.when(pl.col("persons_at_risk").is_null()).then(pl.lit(f"<{result.trial.thresholds.min_cell}"))
    risk = risk.with_columns(text.otherwise(pl.col("persons_at_risk").cast(pl.String)).alias("label"))
    table = (
        alt.Chart(risk)
        .mark_text()
        .encode(x=alt.X("time:Q", title=None), y=alt.Y("arm:N", title=_word("risk", lang)), text="label:N", color=arm)
    )
    return alt.vconcat((band + line).properties(width=480, height=260), table.properties(width=480, height=50))


def _love(result: StudyResult, lang: str) -> Any:
    data = (
        result.table("balance")
        .select(pl.col(f"label_{lang}").alias("label"), "smd_before", "smd_after")
        .unpivot(index="label", variable_name="state", value_name="smd")
        .with_columns(
            pl.col("smd").abs(),
            pl.col("state").replace_strict(
                {"smd_before": _word("before", lang), "smd_after": _word("after", lang)}, return_dtype=pl.String
            ),
        )
    )
    dots = (
        alt.Chart(data)
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("smd:Q", title=_word("smd", lang)),
            y=alt.Y("label:N", title=None, sort="-x"),
            color=alt.Color("state:N", title=_word("state", lang)),
        )
    )
    limit = (
        alt.Chart(pl.DataFrame({"x": [result.trial.thresholds.max_smd]})).mark_rule(strokeDash=[4, 4]).encode(x="x:Q")
    )
    return (dots + limit).properties(width=420)


def _overlap(result: StudyResult, lang: str) -> Any:
    data = _arms(result, result.table("scores"), lang)
    return (
        alt.Chart(data)
        .mark_bar(opacity=0.5)
        .encode(
            x=alt.X("from:Q", title=_word("preference", lang), bin="binned"),
            x2="to:Q",
            y=alt.Y("share:Q", title=_word("share", lang), stack=None),
            color=alt.Color("arm:N", title=_word("arm", lang)),
        )
        .properties(width=420, height=220)
    )


def _forest(result: StudyResult, lang: str) -> Any:
    wanted = ["crude_risk_difference", "risk_difference", "risk_difference_aipw"]
    data = (
        result.table("effects")
        .filter(pl.col("measure").is_in(wanted))
        .with_columns(pl.col(f"label_{lang}").alias("label"))
    )
    order = data["label"].to_list()
    base = alt.Chart(data).encode(y=alt.Y("label:N", title=None, sort=order))
    dots = base.mark_point(filled=True, size=80).encode(x=alt.X("estimate:Q", title=_word("difference", lang)))
    bars = base.mark_rule().encode(x="lower:Q", x2="upper:Q")
    zero = alt.Chart(pl.DataFrame({"x": [0.0]})).mark_rule(strokeDash=[4, 4]).encode(x="x:Q")
    return (zero + bars + dots).properties(width=420)
