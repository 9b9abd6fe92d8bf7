"""The language of a text, by py3langid."""

from __future__ import annotations

from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from songmood.ingest import LANGUAGES


def language_of(text: str | None, min_probability: float) -> str | None:
    """The lower-case English name of a text's language; None if it is less probable than asked for.

    A text without a letter has no language.
    """
    if text is None or not any(map(str.isalpha, text)):
        return None
    code, probability = _identifier().classify(text)
    return LANGUAGES[code] if probability >= min_probability else None


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    """py3langid with its own model, for the languages known here; loaded once a worker.

    Of all its 140 languages it is sure of a third as many titles of real songs.
    """
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(LANGUAGES.keys() & set(identifier.labels)))
    return identifier
