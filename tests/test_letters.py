"""letters: entities, signs that are not seen, and letters that look like others."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from songmood.letters import plain_letters, unescape


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        # signs that are not seen
        ("pep\u200bper", "pepper"),
        ("pep\u00adper", "pepper"),
        ("\ufeffhappy", "happy"),
        ("\u202ehappy\u202c \u2066day\u2069", "happy day"),
        ("happy\ufe0f\U000e0101", "happy"),
        ("hap\u2060\u200d\u034fpy", "happy"),
        ("hap\x00py\x9f", "happy"),
        ("\u3164happy\u115f", "happy"),
        # letters that look like Latin ones
        ("wh\u0435re", "where"),
        ("H\u0435ll\u043e w\u043erld", "Hello world"),
        ("\u03c1ois\u03bfn", "poison"),
        ("\u0420\u0430in", "Pain"),
        ("\u039aISS", "KISS"),
        ("don'\u0442", "don't"),
        ("caf\u03ad", "café"),
        ("a day, \u0430 night", "a day, a night"),  # a word of lookalikes in a Latin text
        # Latin ones in other words
        ("Cпаcибo", "Спасибо"),
        ("пpоцeсc", "процесс"),
        ("каlimero", "kalimero"),
        ("αγάπη mοu", "αγάπη mou"),
        ("Aθήνα", "Αθήνα"),
        # what is meant stays
        ("Москва and Moscow", "Москва and Moscow"),
        ("а я люблю a rose", "а я люблю a rose"),
        ("рок", "рок"),
        ("Ko\u042fn", "Ko\u042fn"),
        ("東京 ночью", "東京 ночью"),
        # other forms of letters
        ("ｈａｐｐｙ", "happy"),
        ("𝓱𝓪𝓹𝓹𝔂", "happy"),
        ("sᴀᴅ", "sad"),
        ("cafe\u0301", "café"),
        ("fine\u00a0\u2003day", "fine  day"),
    ],
)
def test_what_looks_the_same_is_spelled_the_same(text: str, plain: str) -> None:
    assert plain_letters(text) == plain


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("R&B", "R&B"),
        ("R&amp;B", "R&B"),
        ("R&amp;amp;amp;amp;amp;amp;B", "R&B"),
        ("&amp;lt;br&amp;gt;", "<br>"),
        ("&#38;#38;#39;", "'"),
        ("&#x26;quot;", '"'),
        ("&#xD800;", "\ufffd"),
    ],
)
def test_entities_of_entities(text: str, meant: str) -> None:
    assert unescape(text) == meant


LOOKALIKES = st.text(st.sampled_from("aeoАаЕеОоρο\u0301'\u200b яωЯ1é"), max_size=20)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40) | LOOKALIKES)
@example("&" + "amp;" * 100_000)
@example("&#38;" * 10_000)
@example("аa" * 10_000)
@example("a" + "\u0301\u0316" * 100_000)
def test_any_text_is_plain_at_once(text: str) -> None:
    plain = plain_letters(unescape(text))
    assert unicodedata.is_normalized("NFKC", plain)
    assert plain_letters(plain) == plain
    assert not {"\u200b", "\ufeff", "\u00ad", "\x00"} & set(plain)
