"""What a song's words and sound tell of its mood, how clearly, and how well the best reader could do.

A song is happy or sad, and its mood is told either in its words or in its sound: the one channel is
then clear, the other faint. Which of the two no reader knows, so the best reader weighs both cases.
With mood m = +1 or -1 and strength s of the channel in this song:

- words: each mood word is drawn by itself from its list, P(w | m, s) = exp(m s b(w) / 2) / Z(s), where
  b falls evenly from 1 (first word of the list) to -1 (last). The lists are symmetric, so Z is the
  same for both moods, and log P(lyric | m, s) = m s B / 2 - n log Z(s) + const, with B the sum of b over
  the n words drawn (a repeated chorus is drawn once).
- sound: four features are normal with mean m s w / 2 and unit variance, |w| = 1, so that
  log P(z | m, s) = m s (w z) / 2 - s^2 / 8 + const.

Words and sound are independent given mood and case. All else (themes, lines, titles, artists, other
features given these four) is independent of mood. Hence the log odds below are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from songmood.demo.draws import Array, Draws
from songmood.demo.words import LINE_WORDS, LINES, MOOD_WORDS
from songmood.engine.errors import UserError
from songmood.settings import DemoSettings

HAPPY_SHARE = 0.62  # the paper's happy majority: precision and recall above accuracy (its table 1)
FAINT = 0.22  # strength of the faint channel, as a share of the clear one; makes both together about 0.88
CHORUS_LINES = 2  # a chorus of two lines, sung twice ...
CHORUS_FROM = 6  # ... in lyrics of six lines or more
SOUND = {"valence": 0.75, "energy": 0.5, "danceability": 0.35, "tempo": 0.25}  # w, before scaling to length 1

_SAMPLE = 40_000  # songs to solve and to estimate on: a standard error of about 0.001
_FIT_FROM, _TEST_FROM = 1 << 40, 1 << 41  # numbers no song of a corpus has

_SIZE = len(MOOD_WORDS["a"])
_LEAN = np.linspace(1, -1, _SIZE)
_DIRECTION = np.array(list(SOUND.values())) / np.linalg.norm(list(SOUND.values()))
_LINE_SLOTS = np.array([sum(line.count(f"{{{kind}}}") for kind in MOOD_WORDS) for line in LINES])
_WIDTH = int(_LINE_SLOTS.max())


@dataclass(frozen=True)
class Strengths:
    """Strength of each channel where it is the clear one."""

    lyrics: float
    audio: float


@dataclass(frozen=True)
class Ceiling:
    """Accuracy of the best possible reader, estimated on songs drawn for it."""

    accuracy: float
    standard_error: float


@dataclass(frozen=True)
class Plan:
    """How each lyric is laid out, before any word of it: arrays with a row a song."""

    words: Array  # words of the whole lyric
    lines: Array  # lines drawn; the chorus once
    chorus: Array  # of these, the lines of the chorus: 0 or 2
    fillers: Array  # words sung to bring the lyric to its length
    templates: Array  # (songs, lines): which of LINES


def draw_moods(draws: Draws, numbers: Array) -> Array:
    """True for happy songs."""
    return draws.chance("mood", numbers, HAPPY_SHARE)


def plan_lyrics(draws: Draws, numbers: Array, demo: DemoSettings) -> Plan:
    """Length and lines of each song's lyric, whatever its mood."""
    words = demo.words_low + draws.below("words", numbers, demo.words_high - demo.words_low + 1)
    sung = words // LINE_WORDS
    chorus = np.where(sung >= CHORUS_FROM, CHORUS_LINES, 0)
    first = draws.below("first line", numbers, len(LINES))
    step = 1 + draws.below("line step", numbers, len(LINES) - 1)
    places = np.arange(demo.words_high // LINE_WORDS)
    templates = (first[:, None] + step[:, None] * places) % len(LINES)
    return Plan(words, sung - chorus, chorus, words - sung * LINE_WORDS, templates)


def draw_mood_words(draws: Draws, numbers: Array, plan: Plan, strengths: Strengths) -> tuple[Array, Array]:
    """The place in its list of each mood word (songs, lines, words of a line), and which of them stand."""
    songs, lines = plan.templates.shape
    chance = draws.uniform("mood words", numbers, lines * _WIDTH)
    happy, clear = draw_moods(draws, numbers), _told_in_words(draws, numbers)
    places = np.empty(chance.shape, dtype=np.int64)
    for sign in (1, -1):
        for strength, told in zip(_cases(strengths.lyrics), (True, False), strict=True):
            shares = np.exp(sign * strength * _LEAN / 2)
            steps = np.cumsum(shares / shares.sum())[:-1]
            rows = (happy == (sign == 1)) & (clear == told)
            places[rows] = np.searchsorted(steps, chance[rows])
    stand = np.arange(_WIDTH) < _LINE_SLOTS[plan.templates][:, :, None]
    stand &= (np.arange(lines) < plan.lines[:, None])[:, :, None]
    return places.reshape(songs, lines, _WIDTH), stand


def draw_sound(draws: Draws, numbers: Array, takes: Array, strengths: Strengths) -> Array:
    """The four features of SOUND before they are brought to Spotify's scales.

    `numbers` are the songs, which have the mood; `takes` the numbers of their recordings.
    """
    faint_last = _cases(strengths.audio)
    strength = np.where(_told_in_words(draws, numbers), faint_last[1], faint_last[0])
    sign = np.where(draw_moods(draws, numbers), 1, -1)
    return np.asarray((sign * strength / 2)[:, None] * _DIRECTION + draws.normal("sound", takes, len(SOUND)))


def lyrics_evidence(places: Array, stand: Array, strengths: Strengths) -> Array:
    """log P(lyric | mood, case) but for a constant: (songs, happy and sad, told in words or in sound)."""
    score = np.where(stand, _LEAN[places], 0).sum(axis=(1, 2))
    count = stand.sum(axis=(1, 2))
    cases = _cases(strengths.lyrics)
    costs = np.array([np.log(np.exp(s * _LEAN / 2).mean()) for s in cases])
    return _evidence(score, np.array(cases), count[:, None] * costs)


def audio_evidence(sound: Array, strengths: Strengths) -> Array:
    """log P(sound | mood, case) but for a constant, shaped as lyrics_evidence."""
    cases = np.array(_cases(strengths.audio)[::-1])
    return _evidence(sound @ _DIRECTION, cases, np.tile(cases**2 / 8, (len(sound), 1)))


def log_odds(evidence: Array) -> Array:
    """log P(evidence | happy) / P(evidence | sad), both cases being equally likely beforehand."""
    return np.asarray(
        np.logaddexp(evidence[:, 0, 0], evidence[:, 0, 1])
        - np.logaddexp(evidence[:, 1, 0], evidence[:, 1, 1])
    )


def happy_probability(odds: Array) -> Array:
    """What the best reader holds to be the probability of happy."""
    prior = np.log(HAPPY_SHARE / (1 - HAPPY_SHARE))
    return np.asarray(1 / (1 + np.exp(-(odds + prior))))


def solve_strengths(draws: Draws, demo: DemoSettings) -> Strengths:
    """The strengths that give the ceilings of the settings, by bisection on one fixed sample.

    Raises UserError for a ceiling that no strength gives.
    """
    numbers = _FIT_FROM + np.arange(_SAMPLE)
    plan = plan_lyrics(draws, numbers, demo)

    def read_lyrics(strength: float) -> float:
        strengths = Strengths(lyrics=strength, audio=0)
        places, stand = draw_mood_words(draws, numbers, plan, strengths)
        return _ceiling(lyrics_evidence(places, stand, strengths)).accuracy

    def read_audio(strength: float) -> float:
        strengths = Strengths(lyrics=0, audio=strength)
        return _ceiling(audio_evidence(draw_sound(draws, numbers, numbers, strengths), strengths)).accuracy

    return Strengths(
        lyrics=_bisect(read_lyrics, demo.lyrics_ceiling, "demo.lyrics_ceiling"),
        audio=_bisect(read_audio, demo.audio_ceiling, "demo.audio_ceiling"),
    )


def estimate_ceilings(draws: Draws, demo: DemoSettings, strengths: Strengths) -> dict[str, Ceiling]:
    """Bayes accuracy of a reader of lyrics, audio and both, on songs other than those solved on."""
    numbers = _TEST_FROM + np.arange(_SAMPLE)
    places, stand = draw_mood_words(draws, numbers, plan_lyrics(draws, numbers, demo), strengths)
    lyrics = lyrics_evidence(places, stand, strengths)
    audio = audio_evidence(draw_sound(draws, numbers, numbers, strengths), strengths)
    return {"lyrics": _ceiling(lyrics), "audio": _ceiling(audio), "both": _ceiling(lyrics + audio)}


def _told_in_words(draws: Draws, numbers: Array) -> Array:
    return draws.chance("told in words", numbers, 0.5)


def _cases(strength: float) -> tuple[float, float]:
    """A channel's strength where it is clear, and where it is faint."""
    return strength, FAINT * strength


def _evidence(score: Array, strengths: Array, costs: Array) -> Array:
    signs = np.array([1, -1])
    return np.asarray(score[:, None, None] * signs[:, None] * strengths / 2 - costs[:, None, :])


def _ceiling(evidence: Array) -> Ceiling:
    # The mean of the best reader's own certainty: the same expectation as the share it gets right,
    # with less noise.
    happy = happy_probability(log_odds(evidence))
    right = np.maximum(happy, 1 - happy)
    return Ceiling(float(right.mean()), float(right.std() / np.sqrt(len(right))))


def _bisect(accuracy: Callable[[float], float], target: float, setting: str) -> float:
    low, high = 0.0, 16.0
    if not accuracy(low) <= target <= accuracy(high):
        raise UserError(
            f"{setting}: {target} is out of reach: between {HAPPY_SHARE} (the happy songs' share) and "
            f"{accuracy(high):.2f} with lyrics of this length (demo.words_low, demo.words_high)"
        )
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if accuracy(middle) < target else (low, middle)
    return (low + high) / 2
