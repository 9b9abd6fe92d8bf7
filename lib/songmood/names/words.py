"""THE vocabulary of names: words that tell versions, editions and languages."""

from __future__ import annotations

# ISO 639 codes, of three letters as MusicBrainz gives them and of two, of the languages that WASABI's
# detector names, with their lower-case English names.
LANGUAGE_CODES = {
    **{"afr": "afrikaans", "ara": "arabic", "bul": "bulgarian", "cat": "catalan", "ces": "czech"},
    **{"cym": "welsh", "dan": "danish", "deu": "german", "ell": "greek", "eng": "english"},
    **{"est": "estonian", "eus": "basque", "fas": "persian", "fin": "finnish", "fra": "french"},
    **{"gle": "irish", "glg": "galician", "heb": "hebrew", "hin": "hindi", "hrv": "croatian"},
    **{"hun": "hungarian", "ind": "indonesian", "isl": "icelandic", "ita": "italian", "jpn": "japanese"},
    **{"kor": "korean", "lat": "latin", "lav": "latvian", "lit": "lithuanian", "nld": "dutch"},
    **{"nor": "norwegian", "pol": "polish", "por": "portuguese", "ron": "romanian", "rus": "russian"},
    **{"slk": "slovak", "slv": "slovene", "spa": "spanish", "sqi": "albanian", "srp": "serbian"},
    **{"swa": "swahili", "swe": "swedish", "tgl": "tagalog", "tha": "thai", "tur": "turkish"},
    **{"ukr": "ukrainian", "vie": "vietnamese", "zho": "chinese"},
    **{"af": "afrikaans", "ar": "arabic", "bg": "bulgarian", "ca": "catalan", "cs": "czech"},
    **{"cy": "welsh", "da": "danish", "de": "german", "el": "greek", "en": "english"},
    **{"et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fr": "french"},
    **{"ga": "irish", "gl": "galician", "he": "hebrew", "hi": "hindi", "hr": "croatian"},
    **{"hu": "hungarian", "id": "indonesian", "is": "icelandic", "it": "italian", "ja": "japanese"},
    **{"ko": "korean", "la": "latin", "lv": "latvian", "lt": "lithuanian", "nl": "dutch"},
    **{"no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian"},
    **{"sk": "slovak", "sl": "slovene", "es": "spanish", "sq": "albanian", "sr": "serbian"},
    **{"sw": "swahili", "sv": "swedish", "tl": "tagalog", "th": "thai", "tr": "turkish"},
    **{"uk": "ukrainian", "vi": "vietnamese", "zh": "chinese"},
}
