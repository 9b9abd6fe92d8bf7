"""The language of a text, by py3langid."""

from __future__ import annotations

from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from songmood.names.words import LANGUAGE_CODES


def guess_language(text: str | None) -> tuple[str | None, float | None]:
    """The lower-case English name of a text's most probable language, and its probability.

    Both are None for a text without a letter.
    """
    if text is None or not any(map(str.isalpha, text)):
        return None, None
    code, probability = _identifier().classify(text)
    return LANGUAGE_CODES[code], float(probability)


def detect_language(text: str | None, min_probability: float) -> str | None:
    """The lower-case English name of a text's language; None if that is less probable than required."""
    language, probability = guess_language(text)
    return language if probability is not None and probability >= min_probability else None


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    """py3langid with its own model and the languages of LANGUAGE_CODES, loaded once in each worker.

    With all its 140 languages it is sure of only a third as many titles of real songs.
    """
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(LANGUAGE_CODES.keys() & set(identifier.labels)))
    return identifier
