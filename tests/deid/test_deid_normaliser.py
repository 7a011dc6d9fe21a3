"""R13: the normaliser always leads back to the text as written (property tests)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from medarchive_analytics.deid.normalise import condense, lower, normalise

TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from("ＡａＺ０９：，　\u200b\u200d\ufeff\u00ad–−·•張张伟〇İßx19 \n-"), st.characters(codec="utf-8")
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_every_offset_maps_back_r13(text):
    """R13: each normalised character comes from exactly its source slice, in order."""
    normal = normalise(text)
    last = 0
    for i in range(len(normal.text)):
        start, end = normal.to_source(i, i + 1)
        assert last <= start < end <= len(text)
        assert normalise(text[start:end]).text == normal.text[i]
        last = end
    if normal.text:
        assert normalise(text[slice(*normal.to_source(0, len(normal.text)))]).text == normal.text


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_condensed_offsets_and_lower_length_r13(text):
    """R13: condensing keeps one position per character; lower-casing keeps the length."""
    normal = normalise(text).text
    assert len(lower(normal)) == len(normal)
    condensed = condense(normal)
    assert len(condensed.text) == len(condensed.positions)
    assert all(lower(normal)[p] == c for p, c in zip(condensed.positions, condensed.text))
