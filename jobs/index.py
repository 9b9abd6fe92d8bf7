"""index: keywords of each song, and the inverted index over lyrics."""

from songmood.encoder_files import encoder_fingerprint, resolve_encoder
from songmood.index import choose_keywords, compare_keywords, index_lyrics
from songmood.run import Run, Step


def job(run: Run) -> None:
    from songmood.encoder import embedding_udf

    tokens = run.read("tokens")
    if tokens.isEmpty():
        run.warn("no lyrics: nothing to index; the corpus folder lyrics/ supplies them")
    index = index_lyrics(tokens, run.config.index)
    folder = run.ship(resolve_encoder(run.config.encoder.model))
    keywords = compare_keywords(
        choose_keywords(index.term_weights, run.config.index),
        run.read("embeddings"),
        embedding_udf(folder, run.config.encoder),
    )
    run.write(shared=index.term_weights, lyric_index=index.lyric_index, keywords=keywords)


STEP: Step = Step(
    name="index",
    about="keywords and inverted lyric index",
    job=job,
    reads=("tokens", "embeddings"),
    writes=("keywords", "lyric_index"),
    sections=("index", "encoder"),
    outside=encoder_fingerprint,
)

if __name__ == "__main__":
    from all import main

    main("index")
