"""THE vocabulary of names: words that tell versions, editions, pages, languages and numbers.

Words are lower case and without accents, as normalize.py leaves them.
"""

from __future__ import annotations

from typing import NamedTuple

# -- versions ---------------------------------------------------------------------------------------
# Each word is listed under the version that dedupe takes it for, or under "" if dedupe does not heed it.
# There are three dictionaries because dedupe heeds a word only in brackets and after a dash, matching
# wherever it is, also in the artist.

# Another text, no text or another performer: matching never takes it for the song.
_OTHER_SONGS = {
    "live": ("live",),
    "remix": ("remix", "rmx", "mashup"),
    "acoustic": ("acoustic",),
    "demo": ("demo",),
    "instrumental": ("instrumental",),
    "karaoke": ("karaoke",),
    "cover": ("cover", "tribute"),
    "reprise": ("reprise",),
    "medley": ("medley",),
    "interlude": ("interlude",),
    "intro": ("intro", "introduction"),
    "outro": ("outro", "postlude", "coda"),
    "prelude": ("prelude",),
    "commentary": ("commentary", "interview", "spoken"),
    "": (
        *("covers", "parody"),
        *("translation", "traduccion", "traducao", "traduction", "traduzione", "ubersetzung", "romanized"),
    ),
}
# Another recording of the same words: matching takes it for the song, but not for its sound.
_OTHER_RECORDINGS = {
    "live": ("unplugged", "bootleg", "session", "sessions"),
    "remix": ("remixed", "mix", "dub", "rework", "megamix"),
    "demo": ("rehearsal", "outtake"),
    "version": ("version", "edit"),
    "speed": ("sped", "nightcore", "daycore", "slowed", "screwed", "chipmunk"),
    "": ("mixes", "versions", "orchestral", "symphonic", "fix"),
}
# Words that matching does not heed: elsewhere in a title they are ordinary words.
_ONLY_IN_BRACKETS = {
    "live": ("concert", "vivo"),
    "acoustic": ("acustico", "acustica", "acoustique", "akustik", "stripped"),
    "demo": ("take",),
    "instrumental": ("instrumentale",),
    "karaoke": ("playback",),
    "acapella": ("acapella", "cappella", "accapella"),
    "version": ("alternate", "alternative", "versione", "vocal", "rendition", "arrangement"),
    "extended": ("extended",),
    "club": ("club",),
}
_VERSION_WORDS = (_OTHER_SONGS, _OTHER_RECORDINGS, _ONLY_IN_BRACKETS)

OTHER_SONG_WORDS = {word for words in _OTHER_SONGS.values() for word in words}
RECORDING_WORDS = {word for words in _OTHER_RECORDINGS.values() for word in words}
VERSIONS = {  # word: the version that it names
    word: version
    for listed in _VERSION_WORDS
    for version, words in listed.items()
    for word in words
    if version
}

# Where version words make the words after a dash a version: before a place ('live at the hall', not 'live
# and let die'), at the start ('acoustic take'), and at the end, where all but a few do.
BEFORE_PLACES = ("live", "unplugged", "bootleg")
AT_THE_START = (
    *("acoustic", "demo", "instrumental", "karaoke", "remix", "reprise", "extended", "alternate"),
    *("alternative", "acapella", "sped", "slowed"),
)
NOT_AT_THE_END = ("take", "club", "interlude", "concert")
# The version words that end a guest credit: in 'feat. Ann Live', the guest is Ann.
AFTER_GUESTS = ("remix", "live", "acoustic", "demo", "instrumental", "karaoke", "cover")

# Names of forts: 'Ft. Worth' is a place, and 'ft. Ann' a guest.
FORTS = (
    *("worth", "lauderdale", "wayne", "knox", "smith", "collins", "myers", "bragg", "hood", "sumter", "lee"),
    *("pierce", "benning", "dix", "meade", "bliss", "sill", "mchenry", "apache", "william", "george"),
)

# -- editions ---------------------------------------------------------------------------------------
# An edition is the same recording once more: all its words are among these, and it has one of the marks
# or one of the phrases.
EDITION_MARKS = {"remaster", "remastered", "explicit", "clean", "censored", "uncensored", "mono", "stereo"}
EDITION_WORDS = EDITION_MARKS | {
    *("album", "anniversary", "bit", "bonus", "deluxe", "digital", "digitally", "edit", "edition", "lp"),
    *("mix", "original", "radio", "single", "track", "version"),
}
EDITION_PHRASES = (
    *("album version", "single version", "lp version", "original version", "radio version"),
    *("deluxe version", "digital version", "radio edit", "single edit", "bonus track"),
    *("deluxe edition", "anniversary edition"),
)

# -- pages and media --------------------------------------------------------------------------------
# A page of that name is about a song or an artist; it is not a song.
PAGE_WORDS = {
    *("tracklist", "tracklisting", "calendar", "discography", "booklet", "artwork", "credits", "interview"),
    *("script", "transcript", "annotated", "annotations", "essay", "review", "setlist", "snippet", "preview"),
}
# In brackets these tell about the file, not about the song.
MEDIA_WORDS = {"lyric", "lyrics", "official", "video", "videoclip", "audio", "hd", "hq"}

# Texts that stand for a title or an album that is not there.
LOST = {"unk", "unknown", "null", "nan", "n a", "na", "no title", "unknown title", "unknown album"}

# -- numbers and articles ---------------------------------------------------------------------------
NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
LARGE_NUMBERS = (
    *("eleven", "twelve", "twenty", "thirty", "forty", "fifty", "sixty", "hundred", "thousand", "million"),
    *("many", "few", "several"),
)
# Words before the number of a part, and before the numbers of several, in one spelling.
_PARTS = ("part", "volume", "chapter", "act", "book", "movement")
PART_OF = {
    **{"pt": "part", "vol": "volume", "ch": "chapter", "mvt": "movement"},
    **{word: word for word in _PARTS},
}
PARTS_OF = {"pts": "part", "vols": "volume", **{f"{word}s": word for word in _PARTS}}
BEFORE_NUMBERS = {*PART_OF, *PARTS_OF, "no", "nr", "number"}
ARTICLES = (
    *("the", "a", "an", "la", "le", "les", "el", "los", "las", "il", "lo", "gli", "der", "die", "das"),
    *("l", "o", "os", "as"),
)

# -- languages --------------------------------------------------------------------------------------


class Language(NamedTuple):
    """The ISO 639 codes of a language, and the words by which a title says that it is sung in it.

    A language without such words is not told by titles: its name is too rare there to have been tried.
    """

    three_letters: str
    two_letters: str
    in_titles: tuple[str, ...] = ()


# By lower-case English name: the languages that WASABI's detector names.
LANGUAGES = {
    "afrikaans": Language("afr", "af"),
    "albanian": Language("sqi", "sq"),
    "arabic": Language("ara", "ar"),
    "basque": Language("eus", "eu"),
    "bulgarian": Language("bul", "bg"),
    "catalan": Language("cat", "ca"),
    "chinese": Language("zho", "zh", ("mandarin",)),
    "croatian": Language("hrv", "hr"),
    "czech": Language("ces", "cs"),
    "danish": Language("dan", "da"),
    "dutch": Language("nld", "nl", ("dutch",)),
    "english": Language("eng", "en", ("english",)),
    "estonian": Language("est", "et"),
    "finnish": Language("fin", "fi"),
    "french": Language("fra", "fr", ("french", "francais")),
    "galician": Language("glg", "gl"),
    "german": Language("deu", "de", ("german", "deutsch")),
    "greek": Language("ell", "el"),
    "hebrew": Language("heb", "he"),
    "hindi": Language("hin", "hi"),
    "hungarian": Language("hun", "hu"),
    "icelandic": Language("isl", "is"),
    "indonesian": Language("ind", "id"),
    "irish": Language("gle", "ga"),
    "italian": Language("ita", "it", ("italian", "italiano")),
    "japanese": Language("jpn", "ja", ("japanese",)),
    "korean": Language("kor", "ko", ("korean",)),
    "latin": Language("lat", "la"),
    "latvian": Language("lav", "lv"),
    "lithuanian": Language("lit", "lt"),
    "norwegian": Language("nor", "no"),
    "persian": Language("fas", "fa"),
    "polish": Language("pol", "pl"),
    "portuguese": Language("por", "pt", ("portuguese", "portugues")),
    "romanian": Language("ron", "ro"),
    "russian": Language("rus", "ru", ("russian",)),
    "serbian": Language("srp", "sr"),
    "slovak": Language("slk", "sk"),
    "slovene": Language("slv", "sl"),
    "spanish": Language("spa", "es", ("spanish", "espanol", "spanglish")),
    "swahili": Language("swa", "sw"),
    "swedish": Language("swe", "sv", ("swedish",)),
    "tagalog": Language("tgl", "tl"),
    "thai": Language("tha", "th"),
    "turkish": Language("tur", "tr"),
    "ukrainian": Language("ukr", "uk"),
    "vietnamese": Language("vie", "vi"),
    "welsh": Language("cym", "cy"),
}
LANGUAGE_CODES = {code: name for name, language in LANGUAGES.items() for code in language[:2]}
LANGUAGE_OF_WORD = {word: name for name, language in LANGUAGES.items() for word in language.in_titles}
LANGUAGE_WORDS = {*LANGUAGE_OF_WORD}
