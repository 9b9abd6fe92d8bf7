"""Spotify's audio features: four of them depend on the mood, and the others add no information about it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from songmood.demo.draws import Array, Draws
from songmood.demo.evidence import SOUND, Strengths, draw_sound
from songmood.demo.ids import spotify_ids
from songmood.demo.rows import VERSIONS, Rows
from songmood.demo.tags import draw_tagged_moods

NO_AUDIO = 0.05  # of recordings
AROUSAL = 1.5  # how much louder angry songs are, and how much quieter relaxed ones, in standard deviations


def make_audio_features(draws: Draws, rows: Rows, strengths: Strengths) -> pd.DataFrame:
    """spotify_id and the 12 features, one row for each Spotify id.

    Each of the four in SOUND is an increasing function of one normal number, so only rounding loses
    information about the mood. Loudness and acousticness depend on energy, mode on valence, and all three
    on noise. Recordings that are tagged as angry are louder and less acoustic than that, and those tagged as
    relaxed are the opposite.
    """
    spotify = spotify_ids(draws, rows)
    wanted = (spotify != "") & ~draws.chance("no audio", rows.take, NO_AUDIO)
    first = ~pd.Series(np.where(wanted, spotify, "")).duplicated().to_numpy()
    rows, spotify = rows.where(wanted & first), spotify[wanted & first]
    take = rows.take
    sound = draw_sound(draws, rows.song, take, strengths)
    valence, energy, danceability, tempo = (sound[:, i] for i in range(len(SOUND)))
    noise = draws.normal("sound noise", take, 4)
    tagged = draw_tagged_moods(draws, rows.song, take)
    arousal = AROUSAL * np.select([tagged == "angry", tagged == "relaxed"], [1, -1], 0)
    live = take % len(VERSIONS) == VERSIONS.index("live")
    chance = draws.uniform("sound chances", take, 4)
    made: pd.DataFrame = pd.DataFrame(
        {
            "spotify_id": spotify,
            "acousticness": _between_0_and_1(-0.6 - 0.9 * energy + 0.9 * (noise[:, 0] - arousal)),
            "danceability": _between_0_and_1(0.3 + 0.7 * danceability),
            "energy": _between_0_and_1(0.5 + 0.9 * energy),
            "instrumentalness": (0.6 * chance[:, 0] ** 6).round(4),
            "key": draws.below("key", take, 12),
            "liveness": np.where(live, 0.6 + 0.39 * chance[:, 1], 0.05 + 0.4 * chance[:, 1] ** 2).round(4),
            "loudness": np.minimum(-8 + 2 * energy + 2 * (noise[:, 1] + arousal), 0).round(3),
            "mode": (0.4 * valence + noise[:, 2] > -0.4).astype(np.int64),
            "speechiness": (0.03 + 0.4 * chance[:, 2] ** 4).round(4),
            "tempo": (118 * np.exp(0.2 * tempo)).round(3),
            "time_signature": np.select([chance[:, 3] < 0.08, chance[:, 3] < 0.1], [3, 5], 4),
            "valence": _between_0_and_1(0.9 * valence),
        }
    )
    return made


def _between_0_and_1(values: Array) -> Array:
    return np.asarray((1 / (1 + np.exp(-values))).round(4))
