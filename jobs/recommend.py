"""recommend: songs like each song, and why; and how often they share its mood."""

from songmood import recommend
from songmood.run import Run, Step


def job(run: Run) -> None:
    settings, seed = run.config.recommend, run.config.seed
    lyric_index, moods = run.read("lyric_index"), run.read("moods")
    predictions = run.read("model_predictions")
    plain = recommend.embedding_vectors(run.read("embeddings"))
    best, measured = plain, [plain]
    if not moods.isEmpty():
        best = recommend.hidden_vectors(moods)
        # that model may have seen the held-out songs' moods; the one that was measured has not
        measured.append(recommend.hidden_vectors(predictions.where("split = 'test'")))
    else:
        run.warn("no moods in this run: the plain encoder's embeddings rerank, not the mood model's")
    if lyric_index.isEmpty():
        run.warn("no song has words in the index: nothing is recommended")

    songs = recommend.weigh_songs(lyric_index, run.read("deduped"))
    pairs = recommend.compare_songs(songs, [best], settings)
    ranked = recommend.rerank(pairs, settings.semantic_weight, settings.top_n)

    held_out = recommend.held_out_songs(predictions)
    if held_out.isEmpty():
        run.warn("no labelled songs in this run: precision by mood is not measured")
    run.note(vectors=best.model)
    run.write(
        recommendations=recommend.explain(ranked, songs, moods, run.read("clusters")),
        retrieval_metrics=recommend.measure_precision(songs, held_out, measured, settings, seed),
    )


STEP: Step = Step(
    name="recommend",
    about="songs like each song, and why",
    job=job,
    reads=("lyric_index", "embeddings", "moods", "clusters", "deduped", "model_predictions"),
    writes=("recommendations", "retrieval_metrics"),
    sections=("recommend",),
)

if __name__ == "__main__":
    from all import main

    main("recommend")
