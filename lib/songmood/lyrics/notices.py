"""What sites and files write beside lyrics, and in their place.

Each pattern looks at a limited number of characters, so that no text takes it long.
"""

from __future__ import annotations

import re


def _any(*patterns: str) -> str:
    return f"(?:{'|'.join(patterns)})"


# -- beside lyrics -----------------------------------------------------------------------------------

_LYRICS = r"\blyrics?\b"
_SITE = _any(
    r"\b(?:musixmatch|lyricfind|azlyrics|metrolyrics|lyricwiki|lyricsmode|songlyrics|songmeanings)\b",
    r"\b(?:letssingit|elyrics|stlyrics|lyricsfreak|darklyrics|mojim|lyricstranslate|lrclib|lyricsify)\b",
)
_ADDRESS = r"(?:https?://|www\.)\w|\b[\w-]+\.(?:com|net|org|info|ru|me|io|cn|de|fr|br|uk|to)\b"
_GIVEN = _any(
    *("powered", "provided", "supplied", "licen[sc]ed", "submitted", "transcribed", "delivered", "displayed"),
    *("contributed", "corrected", "courtesy", "synced", "synchronized", "added", "taken", "copied", "found"),
    "brought to you",
)
_OWNED = _any(
    "propert(?:y|ies) of", r"cop[iy]rights?\b", "owned by", "for (?:personal|educational)", "not for"
)
_CREDITED = _any(
    *(r"(?:song)?writers?(?:\(s\))?", "composers?", "lyricists?", "publishers?", "producers?", "artist"),
    *("album", "title", "song", "track", "genre", "label", "year", "released?(?: date)?", "source"),
    r"(?:words|lyrics?|music|written|composed|produced|arranged|performed|transcribed|published)"
    r"(?: (?:and|&) (?:words|lyrics?|music|composed|produced|arranged|performed))?(?: by)?",
    *("作词", "作曲", "编曲", "制作人?", "作詞", "編曲", "词", "曲"),
)
_BUTTON = _any(
    *("submit corrections?", "correct these lyrics", "(?:edit|print|embed|share|submit|add) (?:the )?lyrics"),
    *("add to favou?rites", "download (?:mp3|song|lyrics)", r"translate(?: to \w+)?", "show translation"),
)
# A notice within a line: ******* This Lyrics is NOT for Commercial use ******* (1409617829201).
_WITHIN = (
    r"(?<!\*)\*{3,}[^*\n]{0,100}\b(?:lyrics?|use)\b[^*\n]{0,100}\*{3,}(?:\s{0,3}\(\d{1,20}\))?",
    rf"(?<=\S)[ \t]{_LYRICS} (?:\w{{1,12}} ){{0,2}}{_GIVEN} (?:(?:&|and) {_GIVEN} )?by\b[^\n]{{0,80}}$",
)
# A short line that has one of these. Each has one of the hints, which are looked for first: they are quicker.
_HINTS = (
    *("lyric", "http", "www.", "commercial", "rights reserved", "thank", "ringtone"),
    *("musixmatch", "songmeanings", "letssingit", "mojim", "lrclib"),
)
_LINE = re.compile(
    r"^(?=[^\n]{0,200}$)[^\n]{0,100}?"
    + _any(
        rf"{_LYRICS}[^\n]{{0,30}}\b{_GIVEN}\b[^\n]{{0,30}}\b(?:by|of|from|on|at|to)\b",
        rf"{_LYRICS}[^\n]{{0,60}}\b{_OWNED}",
        rf"(?:\bcop[iy]rights?\b|©)[^\n]{{0,60}}{_LYRICS}",
        rf"{_LYRICS}[^\n]{{0,80}}(?:{_ADDRESS}|©)",
        rf"(?:{_ADDRESS})[^\n]{{0,80}}{_LYRICS}",
        r"(?:https?://|www\.)\w",
        _SITE,
        r"\bnot for commercial use\b|\bnon-?commercial use only\b|\ball rights reserved\b",
        rf"\b(?:find|get|read|see|view|search) (?:more|all|the) [^\n]{{0,40}}{_LYRICS}",
        r"\bthank(?:s| you) to\b[^\n]{1,80}\b(?:lyrics|correct\w*|submitt\w*|transcrib\w*)\b",
        r"\bringtones?\b[^\n]{0,30}\b(?:cell|phone|mobile)\b",
    )
    + r"[^\n]*$\n?",
    re.I | re.M,
)
_LINES = (
    # a line that begins so
    rf"^[ \t(\[*]*{_CREDITED}[ \t]*:[^\n]{{0,200}}$",
    r"^[ \t(\[]*(?:©|\(c\)|copyright|℗)[ \t]*(?:©|\(c\))?[ \t]*(?:19|20)\d\d[^\n]{0,200}$",
    # a whole line
    r"^[ \t]*[(\[](?:written|composed|transcribed|submitted|words|lyrics|music) by [^\n]{1,60}[)\]][ \t]*$",
    rf"^[ \t]*{_BUTTON}[ \t.!]*$",
)
_NOTICES = (
    *(re.compile(pattern, re.I | re.M) for pattern in _WITHIN),
    *(re.compile(rf"{pattern}\n?", re.I | re.M) for pattern in _LINES),
)


def without_notices(text: str) -> str:
    """A text without lines about who made, owns, sent or shows the lyrics."""
    for notice in _NOTICES:
        text = notice.sub("", text)
    lowered = text.lower()
    return _LINE.sub("", text) if any(hint in lowered for hint in _HINTS) else text


# -- in place of lyrics ------------------------------------------------------------------------------

INSTRUMENTAL, NONE_YET = "instrumental", "none yet"
# A note is shorter than this, in characters: about 60 words.
NOTE_LENGTH = 400

_NO_WORDS = r"(?:no|without) (?:lyrics|words|vocals|singing)"
_IS_INSTRUMENTAL = re.compile(
    _any(
        r"\W*(?:(?:this|the) (?:song|track|piece|recording) (?:is|was) |this is )?(?:(?:an?|purely|all) )*\W*"
        r"instrumentale?s?(?: (?:track|song|piece|version|music|only|tune|composition))?"
        rf"\W*(?:{_NO_WORDS})?\W*",
        rf"\W*{_NO_WORDS}\W+(?:this is )?(?:an? )?instrumental\W*",
        r"(?:此歌曲为没有填词的)?纯音乐\W*请[您你]?欣赏\W*",
        "[♩♪♫♬\U0001f3b5\U0001f3b6\\s]+",
    ),
    re.I,
)
# In the brackets of a text that has nothing else: [Instrumental], [au: instrumental], [ins:true].
_INSTRUMENTAL_HEADER = re.compile(
    r"[\[({](?:[^\[\](){}\n]*\binstrumental\b|ins\s*:\s*(?:true|yes|1))[^\[\](){}\n]*[\])}]", re.I
)

_OR_LYRICS = r"\b(?:lyrics?|letras?|paroles|songtexte?|testo|tekst\w*|текст\w*)\b"
_ABSENT = _any(
    r"(?:not|n[o']t|never|no|non|nicht|n[aã]o|pas|не)\W{1,3}(?:\w{1,20}\W{1,3}){0,4}?"
    + _any(
        *("available", "found", "exist", "known", "released?", "transcribed", "added", "licen[sc]ed"),
        *("authori[sz]ed", "displayed", "here", "shown?", "complete", "supported", "permitted", "allowed"),
        *("provided?", "submitted", "ready"),
        *(r"disponib\w+", r"dispon[ií]ve\w+", "verf[uü]gbar", "vorhanden", r"trovat\w+", r"найден\w*"),
    ),
    *("yet", "soon", "missing", "unavailable", "unknown", "pending", "removed", "restricted", "tb[ad]"),
    *(
        "moment",
        "later",
        "to be",
        "(?:being|be) (?:added|released|transcribed)",
        r"отсутств\w+",
        r"indispon\w+",
    ),
)
_SHOW = r"(?:have|find|display|show|provide|got|locate|load|know|licen[sc]ed|authori[sz]ed|allowed|permitted)"
_NO_LYRICS = re.compile(
    _any(
        rf"{_OR_LYRICS}[^.!?]{{0,80}}\b{_ABSENT}\b",
        r"\b(?:no|without|missing|add|submit|contribute|request|keine?|sin|pas de|нет)\b[^.!?]{0,30}"
        rf"{_OR_LYRICS}",
        rf"\b(?:not|\w{{2,5}} ?n[o']t|cannot|unable|failed)\b[^.!?]{{0,60}}\b{_SHOW}\b"
        rf"[^.!?]{{0,60}}{_OR_LYRICS}",
        rf"\b(?:working on|sorry|unfortunately|oops)\b[^.!?]{{0,80}}{_OR_LYRICS}",
        r"check back (?:once|when|later|soon)|removed (?:at|by|on|upon) (?:the )?request",
        r"暂无歌词|歌词.{0,6}(?:暂无|制作中)|歌詞.{0,8}(?:ありません|未登録|なし)|가사.{0,3}(?:없|준비)",
    ),
    re.I,
)
_NOTHING = re.compile(
    r"\W*"
    + _any(
        *("n/?a", "null", "none", "nan", "nil", "undefined", "unknown", "tb[ad]", "empty", "lyrics?"),
        *("not available", "not found", "coming soon", "no data", "no results?(?: found)?", "access denied"),
        *("(?:error )?404(?: not found)?", "page not found"),
    )
    + r"\W*",
    re.I,
)


def note_in_place_of(text: str, lyrics: str | None) -> str | None:
    """INSTRUMENTAL or NONE_YET if a text is a note that there are no lyrics; None for anything else.

    `text` is without markup, and `lyrics` is what cleaning has left of it.
    """
    if lyrics is None and _INSTRUMENTAL_HEADER.search(text):
        return INSTRUMENTAL
    if len(text) > NOTE_LENGTH:
        return None
    if _IS_INSTRUMENTAL.fullmatch(lyrics or text):
        return INSTRUMENTAL
    return NONE_YET if _NO_LYRICS.search(text) or (lyrics and _NOTHING.fullmatch(lyrics)) else None
