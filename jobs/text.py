"""text: the words of each song's lyrics, prepared by Spark NLP."""

from songmood.run import Run, Step
from songmood.text import prepare_tokens


def job(run: Run) -> None:
    lyrics = run.read("lyrics")
    if lyrics.isEmpty():
        run.warn("no lyrics: the corpus folder lyrics/ supplies them; topics, keywords and index stay empty")
    run.write(tokens=prepare_tokens(lyrics, run.config.text))


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
