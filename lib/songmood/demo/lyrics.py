"""Lyrics from a grammar, their keys and spellings, and lyrics that belong to another song."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd

from songmood.demo.draws import Array, Draws, pick, strings
from songmood.demo.evidence import Plan, Strengths, draw_mood_words, plan_lyrics
from songmood.demo.ids import song_ids
from songmood.demo.names import artist_names, mend_article, partner_names, song_titles
from songmood.demo.rows import KINDS, Rows, artist_of
from songmood.demo.songs import languages
from songmood.demo.words import FILLERS, LINES, MOOD_WORDS, OTHER_LANGUAGES, THEMES
from songmood.settings import DemoSettings

# Shares of songs.
BY_ID = 0.82  # lyrics under the song's id
BY_NAME = 0.10  # only under artist and title, in different spellings; the other songs have no lyrics
WRONG = 0.08  # another song's lyrics under a similar name, whether or not there are right ones
# Shares of the further rows of the main recording, and of the rows of other versions.
BY_ID_COPY, BY_ID_VERSION = 0.4, 0.8
# Shares of lyrics.
BREAKS = 0.5  # <br> for line ends
ENTITIES = 0.3  # HTML entities
OTHER_THEME = 0.15  # of theme words: from any theme, so that finding the themes is not trivial

WRONG_KINDS = ("karaoke", "other_title", "longer_title", "other_artist")

_WRONG_FROM = 1 << 42  # numbers of the songs that wrong lyrics belong to; the corpus has none of them
_MORE_TITLES = 24  # an artist has songs 0 to 23; the corpus has no titles from here on
_SLOT = re.compile(r"\{(\w)\}")
_TEMPLATES = [(_SLOT.sub("{}", line), _SLOT.findall(line)) for line in LINES]
_THEME_SLOTS = max(sum(kind in "sp" for kind in kinds) for _, kinds in _TEMPLATES)


def draw_themes(draws: Draws, songs: Array) -> Array:
    """The theme of each song, as a place in THEMES, independent of its mood."""
    return draws.below("theme", songs, len(THEMES))


def make_lyrics(draws: Draws, rows: Rows, demo: DemoSettings, strengths: Strengths) -> pd.DataFrame:
    """Rows of song_id, or of artist and title, with lyrics; the other columns of a row are null."""
    state = draws.uniform("lyrics", rows.song)
    by_id, by_name = state < BY_ID, (state >= BY_ID) & (state < BY_ID + BY_NAME)
    first = rows.is_kind("album")
    version = np.array([bool(kind.version) for kind in KINDS])[rows.kind]
    copied = draws.chance("lyrics of copy", rows.row, BY_ID_COPY)
    versioned = draws.chance("lyrics of version", rows.row, BY_ID_VERSION)
    with_id = np.where(version, versioned, by_id & (first | copied))

    texts = dict(zip(rows.song[first], write_lyrics(draws, rows.song[first], demo, strengths), strict=True))
    keyed, named = rows.where(with_id), rows.where(first & by_name)
    wrong = wrong_lyrics(draws, rows)
    wrong_songs = _WRONG_FROM + wrong["number"].to_numpy()
    artist, title = _spell(draws, named)
    nameless, idless = [None] * len(keyed.row), [None] * (len(named.row) + len(wrong))
    number = np.concatenate([keyed.row, named.row, wrong["number"].to_numpy()])
    text = [texts[song] for song in (*keyed.song, *named.song)]
    text += write_lyrics(draws, wrong_songs, demo, strengths)
    made: pd.DataFrame = pd.DataFrame(
        {
            "song_id": [*song_ids(draws, keyed.row), *idless],
            "artist": [*nameless, *artist, *wrong["artist"]],
            "title": [*nameless, *title, *wrong["title"]],
            "lyrics": _add_markup(draws, number, text),
        }
    )
    made.index = pd.Index(number)
    ordered: pd.DataFrame = made.sort_index(kind="stable").reset_index(drop=True)
    return ordered


def wrong_lyrics(draws: Draws, rows: Rows) -> pd.DataFrame:
    """Names under which there are another song's lyrics, and the song_id that must not get these."""
    chosen = rows.where(rows.is_kind("album") & draws.chance("wrong lyrics", rows.song, WRONG))
    kind = draws.below("wrong kind", chosen.song, len(WRONG_KINDS))
    artist = artist_names(draws, chosen.artist)
    title = song_titles(draws, chosen.artist, chosen.index)
    more = _MORE_TITLES + draws.below("wrong title", chosen.song, 12)
    titles = (
        title + " (Karaoke Version)",
        song_titles(draws, chosen.artist, more + chosen.index),
        title + " with You in My Arms",
        title,
    )
    # An artist that the corpus does not have, with a name of another form.
    stranger = chosen.artists // 3 + 1 + draws.below("stranger", chosen.song, 300)
    strangers = artist_names(draws, stranger * 3 + (chosen.artist + 1) % 3)
    made: pd.DataFrame = pd.DataFrame(
        {
            "number": chosen.song * 16,
            "song_id": song_ids(draws, chosen.row),
            "artist": np.where(kind == 3, strangers, artist),
            "title": pick(kind, titles),
            "kind": strings(WRONG_KINDS)[kind],
        }
    )
    return made


def write_lyrics(draws: Draws, songs: Array, demo: DemoSettings, strengths: Strengths) -> list[str]:
    """Clean lyrics for each song number: lines, with an empty line between verse and chorus."""
    plan = plan_lyrics(draws, songs, demo)
    places, _ = draw_mood_words(draws, songs, plan, strengths)
    themes = _draw_theme_words(draws, songs, plan)
    filler = draws.below("filler", songs, len(FILLERS))
    language = np.where(songs >= _WRONG_FROM, "english", languages(draws, artist_of(songs)[0]))
    foreign = draws.below("other words", songs, 1 << 30, demo.words_high)
    texts = []
    for i in range(len(songs)):
        if language[i] != "english":
            texts.append(_write_foreign(OTHER_LANGUAGES[language[i]], foreign[i, : plan.words[i]]))
            continue
        lines = [
            _write_line(plan.templates[i, line], places[i, line], themes[i, line])
            for line in range(plan.lines[i])
        ]
        texts.append(_arrange(lines, int(plan.chorus[i]), [FILLERS[filler[i]]] * int(plan.fillers[i])))
    return texts


def _write_foreign(vocabulary: list[str], draws: Array) -> str:
    """Lyrics in another language: words drawn from its vocabulary, six to a line."""
    words = [vocabulary[draw % len(vocabulary)] for draw in draws]
    lines = [" ".join(words[at : at + 6]) for at in range(0, len(words), 6)]
    return "\n".join(line[0].upper() + line[1:] for line in lines)


def _draw_theme_words(draws: Draws, songs: Array, plan: Plan) -> Array:
    """Theme and place in its list of each theme word: (songs, lines, words of a line, 2)."""
    lines = plan.templates.shape[1]
    width = lines * _THEME_SLOTS
    own = np.broadcast_to(draw_themes(draws, songs)[:, None], (len(songs), width))
    strayed = draws.uniform("stray", songs, width) < OTHER_THEME
    theme = np.where(strayed, draws.below("stray theme", songs, len(THEMES), width), own)
    place = draws.below("theme words", songs, _THEME_SIZE, width)
    return np.stack([theme, place], axis=2).reshape(len(songs), lines, _THEME_SLOTS, 2)


_THEME_LISTS = list(THEMES.values())
_THEME_SIZE = len(_THEME_LISTS[0]["s"])


def _write_line(template: int, moods: Array, themes: Array) -> str:
    text, kinds = _TEMPLATES[template]
    mood, theme = iter(moods), iter(themes)
    words = []
    for kind in kinds:
        if kind in MOOD_WORDS:
            words.append(MOOD_WORDS[kind][next(mood)])
        else:
            which, place = next(theme)
            words.append(_THEME_LISTS[which][kind][place])
    line = mend_article(text.format(*words))
    return line[:1].upper() + line[1:]


def _arrange(lines: list[str], chorus_lines: int, fillers: list[str]) -> str:
    """Verse, chorus, fillers, verse, chorus; or one verse where there is no chorus."""
    chorus, verses = lines[:chorus_lines], lines[chorus_lines:]
    half = (len(verses) + 1) // 2 if chorus else len(verses)
    sung = [" ".join(fillers).capitalize()] if fillers else []
    blocks = [verses[:half], chorus + sung, verses[half:], chorus]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _spell(draws: Draws, rows: Rows) -> tuple[Array, Array]:
    """Artist and title as lyrics sites write them: not always in the spelling of the song record."""
    artist = artist_names(draws, rows.artist)
    title = song_titles(draws, rows.artist, rows.index)
    way = draws.below("name spelling", rows.song, 4)
    upper = np.array([t.upper() for t in title], dtype=object)
    featuring = title + " (feat. " + partner_names(draws, rows) + ")"
    return artist, pick(way, (title, upper, featuring, title + " - Remastered"))


def _add_markup(draws: Draws, numbers: Array, texts: list[str]) -> list[str]:
    """The texts, some with HTML entities and some with <br> for line ends."""
    entities = draws.chance("entities", numbers, ENTITIES)
    breaks = draws.chance("breaks", numbers, BREAKS)
    marked = []
    for text, entity, br in zip(texts, entities, breaks, strict=True):
        if entity:
            text = html.escape(text.replace(" and ", " & "))
        marked.append(text.replace("\n", "<br>") if br else text)
    return marked
