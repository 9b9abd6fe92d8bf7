"""embed: read the lyrics with the plain encoder."""

from songmood.encoder_files import encoder_fingerprint, encoder_id, resolve_encoder
from songmood.run import Run, Step


def job(run: Run) -> None:
    from songmood.embed import embed_lyrics
    from songmood.encoder import try_encoder

    encoder = run.config.encoder
    folder = resolve_encoder(encoder.model)
    try_encoder(folder, encoder)
    lyrics = run.read("lyrics")
    if lyrics.isEmpty():
        run.warn("no lyrics: nothing to read; the corpus folder lyrics/ supplies them")
    run.write(embeddings=embed_lyrics(lyrics, run.ship(folder), encoder_id(folder), encoder))


STEP: Step = Step(
    name="embed",
    about="read lyrics with the plain encoder",
    job=job,
    reads=("lyrics",),
    writes=("embeddings",),
    sections=("encoder",),
    outside=encoder_fingerprint,
)

if __name__ == "__main__":
    from all import main

    main("embed")
