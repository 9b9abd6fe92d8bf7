"""cluster: groups of songs that are alike, and a map of all songs."""

from songmood.run import Run, Step


def job(run: Run) -> None:
    from songmood.cluster import assign_clusters, cluster_selection, fit_clusters, song_features

    moods = run.read("moods")
    if moods.isEmpty():
        run.warn("no moods in this run: clusters are made from the plain encoder's embeddings and audio")
        features = song_features(run.read("embeddings"), "embedding", run.read("audio_features"))
    else:
        features = song_features(moods, "hidden", run.read("audio_features"))
    fitted = fit_clusters(features, run.config.cluster, run.config.seed)
    for note in fitted.notes:
        run.warn(note)
    run.write(
        clusters=assign_clusters(features, fitted), cluster_selection=cluster_selection(features, fitted)
    )


STEP: Step = Step(
    name="cluster",
    about="groups of songs, and their map",
    job=job,
    reads=("moods", "audio_features", "embeddings"),
    writes=("clusters", "cluster_selection"),
    sections=("cluster",),
)

if __name__ == "__main__":
    from all import main

    main("cluster")
