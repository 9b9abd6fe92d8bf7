"""How a song's words and sound depend on its mood, and how accurate the best possible classifier is.

A song is happy or sad, and either its words or its sound show it: one channel is clear, and the other one
is faint. A classifier does not know which one is clear, so the best one weighs both cases.
With mood m = +1 or -1 and strength s of the channel in this song:

- words: each mood word is drawn independently from its list, P(w | m, s) = exp(m s b(w) / 2) / Z(s), where
  b falls evenly from 1 (first word of the list) to -1 (last). The lists are symmetric, so Z is the
  same for both moods, and log P(lyric | m, s) = m s B / 2 - n log Z(s) + const, with B the sum of b over
  the n words drawn (a repeated chorus is drawn once).
- sound: four features are normal with mean m s w / 2 and unit variance, |w| = 1, so that
  log P(z | m, s) = m s (w z) / 2 - s^2 / 8 + const.

Words and sound are independent given mood and case. Everything else (themes, lines, titles, artists, and
the other features given these four) is independent of mood. Hence the log odds below are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from songmood.demo.draws import Array, Draws
from songmood.demo.words import LINE_WORDS, LINES, MOOD_WORDS
from songmood.engine.errors import UserError
from songmood.settings import DemoSettings

HAPPY_SHARE = 0.62  # the paper has a happy majority: precision and recall exceed accuracy (its table 1)
FAINT = 0.22  # strength of the faint channel, as a share of the clear one; gives both together about 0.88
CHORUS_LINES = 2  # lines of the chorus, which is sung twice
CHORUS_FROM = 6  # lines of the shortest lyrics with a chorus
SOUND = {"valence": 0.75, "energy": 0.5, "danceability": 0.35, "tempo": 0.25}  # w, before scaling to length 1

_SAMPLE = 40_000  # songs to solve and to estimate on: a standard error of about 0.001
_FIT_FROM, _TEST_FROM = 1 << 40, 1 << 41  # song numbers that no corpus has

_SIZE = len(MOOD_WORDS["a"])
_LEAN = np.linspace(1, -1, _SIZE)
_DIRECTION = np.array(list(SOUND.values())) / np.linalg.norm(list(SOUND.values()))
_LINE_SLOTS = np.array([sum(line.count(f"{{{kind}}}") for kind in MOOD_WORDS) for line in LINES])
_WIDTH = int(_LINE_SLOTS.max())


@dataclass(frozen=True)
class Strengths:
    """Strength of each channel in songs where it is the clear one."""

    lyrics: float
    audio: float


@dataclass(frozen=True)
class Ceiling:
    """Accuracy of the best possible classifier, estimated on songs drawn for this."""

    accuracy: float
    standard_error: float


@dataclass(frozen=True)
class Plan:
    """The layout of each song's lyrics, before any word is drawn: arrays with one row for each song."""

    words: Array  # number of words
    lines: Array  # number of lines drawn; the chorus counts once
    chorus: Array  # number of these lines that are the chorus: 0 or 2
    fillers: Array  # number of words that bring the lyrics to their length
    templates: Array  # (songs, lines): place in LINES


def draw_moods(draws: Draws, numbers: Array) -> Array:
    """True for happy songs."""
    return draws.chance("mood", numbers, HAPPY_SHARE)


def plan_lyrics(draws: Draws, numbers: Array, demo: DemoSettings) -> Plan:
    """Length and lines of each song's lyrics, which are independent of its mood."""
    words = demo.words_low + draws.below("words", numbers, demo.words_high - demo.words_low + 1)
    sung = words // LINE_WORDS
    chorus = np.where(sung >= CHORUS_FROM, CHORUS_LINES, 0)
    first = draws.below("first line", numbers, len(LINES))
    step = 1 + draws.below("line step", numbers, len(LINES) - 1)
    places = np.arange(demo.words_high // LINE_WORDS)
    templates = (first[:, None] + step[:, None] * places) % len(LINES)
    return Plan(words, sung - chorus, chorus, words - sung * LINE_WORDS, templates)


def draw_mood_words(draws: Draws, numbers: Array, plan: Plan, strengths: Strengths) -> tuple[Array, Array]:
    """The place in its list of each mood word (songs, lines, words of a line), and which of them are used."""
    songs, lines = plan.templates.shape
    chance = draws.uniform("mood words", numbers, lines * _WIDTH)
    happy, clear = draw_moods(draws, numbers), _words_are_clear(draws, numbers)
    places = np.empty(chance.shape, dtype=np.int64)
    for sign in (1, -1):
        for strength, is_clear in zip(_cases(strengths.lyrics), (True, False), strict=True):
            shares = np.exp(sign * strength * _LEAN / 2)
            steps = np.cumsum(shares / shares.sum())[:-1]
            rows = (happy == (sign == 1)) & (clear == is_clear)
            places[rows] = np.searchsorted(steps, chance[rows])
    used = np.arange(_WIDTH) < _LINE_SLOTS[plan.templates][:, :, None]
    used &= (np.arange(lines) < plan.lines[:, None])[:, :, None]
    return places.reshape(songs, lines, _WIDTH), used


def draw_sound(draws: Draws, numbers: Array, takes: Array, strengths: Strengths) -> Array:
    """The four features of SOUND before they are brought to Spotify's scales.

    `numbers` are those of the songs, which have the mood; `takes` are those of their recordings.
    """
    clear, faint = _cases(strengths.audio)
    strength = np.where(_words_are_clear(draws, numbers), faint, clear)
    sign = np.where(draw_moods(draws, numbers), 1, -1)
    return np.asarray((sign * strength / 2)[:, None] * _DIRECTION + draws.normal("sound", takes, len(SOUND)))


def lyrics_evidence(places: Array, used: Array, strengths: Strengths) -> Array:
    """log P(lyric | mood, case) up to a constant: (songs, happy and sad, words clear and sound clear)."""
    score = np.where(used, _LEAN[places], 0).sum(axis=(1, 2))
    count = used.sum(axis=(1, 2))
    cases = _cases(strengths.lyrics)
    costs = np.array([np.log(np.exp(s * _LEAN / 2).mean()) for s in cases])
    return _evidence(score, np.array(cases), count[:, None] * costs)


def audio_evidence(sound: Array, strengths: Strengths) -> Array:
    """log P(sound | mood, case) up to a constant, in the shape of lyrics_evidence."""
    cases = np.array(_cases(strengths.audio)[::-1])
    return _evidence(sound @ _DIRECTION, cases, np.tile(cases**2 / 8, (len(sound), 1)))


def log_odds(evidence: Array) -> Array:
    """log P(evidence | happy) / P(evidence | sad); both cases are equally likely a priori."""
    return np.asarray(
        np.logaddexp(evidence[:, 0, 0], evidence[:, 0, 1])
        - np.logaddexp(evidence[:, 1, 0], evidence[:, 1, 1])
    )


def happy_probability(odds: Array) -> Array:
    """The probability of happy, as the best classifier gives it."""
    prior = np.log(HAPPY_SHARE / (1 - HAPPY_SHARE))
    return np.asarray(1 / (1 + np.exp(-(odds + prior))))


def solve_strengths(draws: Draws, demo: DemoSettings) -> Strengths:
    """The strengths that give the ceilings of the settings, by bisection on one fixed sample.

    Raises UserError for a ceiling that no strength gives.
    """
    numbers = _FIT_FROM + np.arange(_SAMPLE)
    plan = plan_lyrics(draws, numbers, demo)

    def accuracy_on_lyrics(strength: float) -> float:
        strengths = Strengths(lyrics=strength, audio=0)
        places, used = draw_mood_words(draws, numbers, plan, strengths)
        return _ceiling(lyrics_evidence(places, used, strengths)).accuracy

    def accuracy_on_audio(strength: float) -> float:
        strengths = Strengths(lyrics=0, audio=strength)
        return _ceiling(audio_evidence(draw_sound(draws, numbers, numbers, strengths), strengths)).accuracy

    return Strengths(
        lyrics=_bisect(accuracy_on_lyrics, demo.lyrics_ceiling, "demo.lyrics_ceiling"),
        audio=_bisect(accuracy_on_audio, demo.audio_ceiling, "demo.audio_ceiling"),
    )


def estimate_ceilings(draws: Draws, demo: DemoSettings, strengths: Strengths) -> dict[str, Ceiling]:
    """Bayes accuracy of classifiers of lyrics, audio and both, on songs that solve_strengths did not use."""
    numbers = _TEST_FROM + np.arange(_SAMPLE)
    places, used = draw_mood_words(draws, numbers, plan_lyrics(draws, numbers, demo), strengths)
    lyrics = lyrics_evidence(places, used, strengths)
    audio = audio_evidence(draw_sound(draws, numbers, numbers, strengths), strengths)
    return {"lyrics": _ceiling(lyrics), "audio": _ceiling(audio), "both": _ceiling(lyrics + audio)}


def _words_are_clear(draws: Draws, numbers: Array) -> Array:
    return draws.chance("told in words", numbers, 0.5)


def _cases(strength: float) -> tuple[float, float]:
    """A channel's strength in songs where it is clear, and in those where it is faint."""
    return strength, FAINT * strength


def _evidence(score: Array, strengths: Array, costs: Array) -> Array:
    signs = np.array([1, -1])
    return np.asarray(score[:, None, None] * signs[:, None] * strengths / 2 - costs[:, None, :])


def _ceiling(evidence: Array) -> Ceiling:
    # The mean confidence of the best classifier: its expectation is that of the accuracy, and its
    # variance is smaller.
    happy = happy_probability(log_odds(evidence))
    right = np.maximum(happy, 1 - happy)
    return Ceiling(float(right.mean()), float(right.std() / np.sqrt(len(right))))


def _bisect(accuracy: Callable[[float], float], target: float, setting: str) -> float:
    low, high = 0.0, 16.0
    if not accuracy(low) <= target <= accuracy(high):
        raise UserError(
            f"{setting}: {target} is out of reach: it must be between {HAPPY_SHARE} (the share of happy "
            f"songs) and {accuracy(high):.2f} with lyrics of this length (demo.words_low, demo.words_high)"
        )
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if accuracy(middle) < target else (low, middle)
    return (low + high) / 2
