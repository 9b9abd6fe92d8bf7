"""text: the words of each song's lyrics, prepared by Spark NLP."""

from pyspark import StorageLevel

from songmood.run import Run, Step
from songmood.text import add_bigrams, fit_bigrams, prepare_tokens


def job(run: Run) -> None:
    lyrics = run.read("lyrics")
    if lyrics.isEmpty():
        run.warn("no lyrics: the corpus folder lyrics/ supplies them; topics, keywords and index stay empty")
    words = prepare_tokens(lyrics, run.config.text).persist(StorageLevel.DISK_ONLY)
    bigrams = fit_bigrams(words, run.config.text)
    run.note(bigrams=len(bigrams))
    run.write(tokens=add_bigrams(words, bigrams))
    words.unpersist()


STEP: Step = Step(
    name="text",
    about="words from lyrics",
    job=job,
    reads=("lyrics",),
    writes=("tokens",),
    sections=("text",),
)

if __name__ == "__main__":
    from all import main

    main("text")
