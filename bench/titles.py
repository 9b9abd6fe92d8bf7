"""How many titles several artists have: real songs beside the demo's (TITLE_SHARES in demo/names.py).

usage: ./spark-submit.sh --exec python bench/titles.py SONGS [NUMBER ...]

SONGS is WASABI's public CSV file, or a Parquet file with artist and title. The demo is made with each NUMBER
of songs. A title counts once for each artist, without accents, versions and signs. What the real titles would
be at these sizes comes from the law of Pitman and Yor, fitted to samples of artists: it says how kinds (here
titles) recur in samples of any size, as Zipf's law does for words.
"""

from __future__ import annotations

import re
import sys
import unicodedata

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import gammaln

from songmood.demo.draws import Draws
from songmood.demo.names import song_titles
from songmood.demo.rows import artist_of

SIZES = (2_800, 11_200, 39_400, 170_000, 1_700_000)


def plain(text: str) -> str:
    """A name without accents, versions and signs."""
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"\s*[(\[].*?[)\]]|\s+-\s.*|\s+(feat|ft)\.? .*", "", text)
    return re.sub(r"[^\w]+", " ", text).strip()


def figures(titles: pd.Series[str]) -> tuple[int, int, int]:
    """The number of songs, of titles, and of titles of one artist."""
    counts = titles.value_counts()
    return len(titles), len(counts), int((counts == 1).sum())


def expected(songs: float, discount: float, strength: float) -> tuple[float, float]:
    """The numbers of titles, and of titles of one artist, by the law of Pitman and Yor."""
    d, t, n = discount, strength, songs
    titles = t / d * np.expm1(gammaln(t + d + n) + gammaln(t) - gammaln(t + d) - gammaln(t + n))
    once = n * np.exp(gammaln(t + d + n - 1) + gammaln(t + 1) - gammaln(t + d) - gammaln(t + n))
    return float(titles), float(once)


def fit(samples: list[tuple[float, float, float]]) -> tuple[float, float]:
    """The parameters of the law that fit the samples best."""

    def loss(x: np.ndarray) -> float:
        off = 0.0
        for songs, titles, once in samples:
            found, found_once = expected(songs, 1 / (1 + np.exp(-x[0])), np.exp(x[1]))
            off += ((songs - found) / (songs - titles) - 1) ** 2
            off += ((found - found_once) / (titles - once) - 1) ** 2
        return off

    starts = [[d, t] for d in (0.0, 1.0, 2.0) for t in (6.0, 8.0, 10.0)]
    fits = [minimize(loss, start, method="Nelder-Mead", options={"maxiter": 4000}) for start in starts]
    best = min(fits, key=lambda found: found.fun).x
    return float(1 / (1 + np.exp(-best[0]))), float(np.exp(best[1]))


def show(name: str, songs: float, titles: float, once: float) -> None:
    """Print one line."""
    several = 100 * (1 - once / titles)
    print(
        f"{name:24}{songs:12,.0f}{several:10.1f}% of titles are of several artists{titles / songs:8.3f}",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1].endswith(".parquet"):
        real = pd.read_parquet(sys.argv[1], columns=["artist", "title"]).fillna("")
    else:
        real = pd.read_csv(sys.argv[1], sep="\t", dtype=str, keep_default_na=False)
    real = real.assign(artist=real["artist"].map(plain), title=real["title"].map(plain))
    real = real[real["title"] != ""].drop_duplicates(["artist", "title"])
    artists, chance = np.sort(real["artist"].unique()), np.random.default_rng(1)
    samples = []
    for share in (0.1, 0.25, 0.5, 1.0):
        drawn = [chance.choice(artists, int(share * len(artists)), replace=False) for _ in range(10)]
        found = [figures(real.loc[real["artist"].isin(some), "title"]) for some in drawn]
        samples.append(tuple(np.mean(found, axis=0)))
    show("real, counted", *figures(real["title"]))
    law = fit(samples)
    print(f"the law: discount {law[0]:.3f}, strength {law[1]:,.0f}")
    for size in [int(number) for number in sys.argv[2:]] or SIZES:
        show("real, by the law", size, *expected(size, *law))
        show("demo, counted", *figures(pd.Series(song_titles(Draws(7), *artist_of(np.arange(size))))))
