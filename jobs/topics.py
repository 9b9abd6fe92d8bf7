"""topics: the topic distribution of each song, and the search for the topic model."""

from songmood.run import Run, Step


def job(run: Run) -> None:
    from songmood.topics import fit_topics, infer_topics

    tokens, embeddings = run.read("tokens"), run.read("embeddings")
    fitted = fit_topics(tokens, embeddings, run.config.topics, run.config.seed)
    if fitted.problem:
        run.warn(fitted.problem)
    result = infer_topics(tokens, embeddings, fitted, run.config.topics)
    run.write(
        topics=result.topics,
        topic_terms=result.topic_terms,
        topic_selection=result.topic_selection,
    )


STEP: Step = Step(
    name="topics",
    about="topic model",
    job=job,
    reads=("tokens", "embeddings"),
    writes=("topics", "topic_terms", "topic_selection"),
    sections=("topics",),
)

if __name__ == "__main__":
    from all import main

    main("topics")
