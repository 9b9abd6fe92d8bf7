"""Why a song is recommended, as a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from songmood.audio import CONTINUOUS_AUDIO_FEATURES

_TERMS = 3  # named in a reason
_AUDIO = 2
_NEAR, _MARKED = 0.5, 0.5  # in standard deviations: the most between two songs, the least from the mean
_CLOSE = 1.0  # a part whose standardized similarity is larger is a reason

# The word for a song with much of a feature, and the one for a song with little; None where it is usual.
_WORDS = {
    "acousticness": ("acoustic", "electric"),
    "danceability": ("danceable", None),
    "energy": ("energetic", "calm"),
    "instrumentalness": ("instrumental", None),
    "liveness": ("live", None),
    "loudness": ("loud", "quiet"),
    "speechiness": ("spoken", None),
    "tempo": ("fast", "slow"),
    "valence": ("bright", "dark"),
}


def shared_sound(seed: NDArray[np.floating], song: NDArray[np.floating]) -> list[list[str]]:
    """What pairs of songs have in common in sound, the most unusual first, as 'calm', 'slow'.

    The rows are standardized continuous audio features, (pairs, 9); NaN where one is missing.
    """
    with np.errstate(invalid="ignore"):
        strength = np.minimum(np.abs(seed), np.abs(song))
        alike = (np.abs(seed - song) <= _NEAR) & (strength >= _MARKED) & (np.sign(seed) == np.sign(song))
    has_word = np.array([[high is not None, low is not None] for high, low in _WORDS.values()])
    alike &= np.where(seed < 0, has_word[:, 1], has_word[:, 0])
    order = np.argsort(np.where(alike, -strength, np.inf), axis=1, kind="stable")[:, :_AUDIO]
    return [
        [
            str(_WORDS[CONTINUOUS_AUDIO_FEATURES[feature]][int(seed[pair, feature] < 0)])
            for feature in features
            if alike[pair, feature]
        ]
        for pair, features in enumerate(order.tolist())
    ]


def sentence(
    terms: Sequence[str],
    lyrics: float,
    seed_mood: str | None,
    mood: str | None,
    probabilities: Sequence[float],
    audio: Sequence[str],
    cluster: str | None,
) -> str:
    """As 'Both sing of river, road and night. Both are sad (0.91 and 0.84). Both sound calm and slow.'

    `lyrics` is the standardized similarity of the readings; `cluster` is the name of the cluster of both.
    """
    parts = []
    if terms:
        parts.append(f"Both sing of {_list([term.replace('_', ' ') for term in terms[:_TERMS]])}.")
    if lyrics >= _CLOSE:
        parts.append("Their lyrics read alike.")
    if mood is not None and mood == seed_mood:
        parts.append(f"Both are {mood} ({probabilities[0]:.2f} and {probabilities[1]:.2f}).")
    if audio:
        parts.append(f"Both sound {_list(list(audio))}.")
    if cluster is not None:
        parts.append(f"Both are in the cluster '{cluster}'.")
    return " ".join(parts) or "Nothing of what they share has a name."


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
