from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from safetensors.torch import load_file, save_file
from transformers import (
    RobertaConfig,
    RobertaModel,
    SqueezeBertConfig,
    SqueezeBertModel,
    T5Config,
    T5Model,
)

from songmood.encoder.encoder import Encoder, load_encoder
from songmood.encoder.files import encoder_id, resolve_encoder
from songmood.encoder.udf import embedding_udf
from songmood.engine.errors import UserError
from songmood.settings import EncoderSettings, Settings
from tiny_encoder import WIDTH, write_tiny_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny"))


def tiny(folder: Path, max_tokens: int, **more: Any) -> Encoder:
    """An encoder with batches of two windows; without further settings it reads one window of each text."""
    settings = {
        **{"model": str(folder), "read_by": "window", "max_line_words": 12, "pooling": "mean"},
        **{
            "window_overlap": 0,
            "max_windows": 1,
            "engine": "torch",
            "min_agreement": 0.999,
            "batch_tokens": 16,
        },
    }
    return Encoder(folder, EncoderSettings.model_validate({**settings, "max_tokens": max_tokens, **more}))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_embedded_encoder_tells_meanings_apart() -> None:
    encoder = tiny(resolve_encoder("embedded"), 64)
    joy, glee, gloom = encoder.embed(["we dance in the sun", "dancing on a sunny day", "she died alone"])
    assert encoder.width == 384
    assert joy @ glee > 0.5 > joy @ gloom


def test_an_embedding_is_the_mean_over_tokens_whatever_the_batch(folder: Path) -> None:
    encoder = tiny(folder, 64)
    texts = ["sun", "rain rain tears on the road", "night train", "sun dance smile party home"]
    alone = np.vstack([encoder.embed([text]) for text in texts])
    np.testing.assert_allclose(encoder.embed(texts), alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-6)
    tokens = encoder.tokenizer("night train", return_tensors="pt")
    mean = encoder.model(**tokens).last_hidden_state[0].mean(0).detach().numpy()
    np.testing.assert_allclose(alone[2], mean / np.linalg.norm(mean), atol=1e-6)


def test_long_text_is_cut_at_max_tokens(folder: Path) -> None:
    encoder = tiny(folder, 4)  # [CLS] sun rain [SEP]
    start, same_start, different = encoder.embed(["sun rain", "sun rain " + "tears " * 100_000, "sun tears"])
    np.testing.assert_allclose(start, same_start, atol=1e-6)
    assert not np.allclose(start, different, atol=1e-3)


WORDS = ("sun", "rain", "tears", "road", "night", "train", "dance", "smile", "home", "city")


def test_a_long_text_is_read_in_windows_that_overlap(folder: Path) -> None:
    encoder = tiny(folder, 6, window_overlap=2, max_windows=9)  # [CLS] four words [SEP]
    pieces = [window.token_ids[1:-1] for window in encoder.windows([" ".join(WORDS), "sun"])]
    ids = encoder.tokenizer(" ".join(WORDS), add_special_tokens=False)["input_ids"]
    assert pieces[:-1] == [ids[0:4], ids[2:6], ids[4:8], ids[6:10]]
    assert [window.text for window in encoder.windows([" ".join(WORDS), "sun"])] == [0, 0, 0, 0, 1]
    assert len(tiny(folder, 6, window_overlap=2, max_windows=3).windows([" ".join(WORDS)])) == 3


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_a_text_of_several_windows_is_pooled_over_them(folder: Path, pooling: str) -> None:
    encoder = tiny(folder, 4, pooling=pooling, max_windows=9)  # windows of two words, without overlap
    whole = encoder.embed(["sun rain tears road", "night train"])
    states = []
    for part in ("sun rain", "tears road"):
        tokens = encoder.tokenizer(part, return_tensors="pt")
        states.append(encoder.model(**tokens).last_hidden_state[0].detach().numpy())
    by_hand = {
        "mean": np.vstack(states).mean(axis=0),
        "max": np.vstack(states).max(axis=0),
        "cls": (states[0][0] + states[1][0]) / 2,
    }[pooling]
    np.testing.assert_allclose(whole[0], by_hand / np.linalg.norm(by_hand), atol=1e-6)
    np.testing.assert_allclose(whole[1], encoder.embed(["night train"])[0], atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_by_line_a_text_is_the_mean_of_its_lines_and_each_repetition_counts(
    folder: Path, pooling: str
) -> None:
    encoder = tiny(folder, 64, pooling=pooling, read_by="line", max_windows=9)
    chorus, verse = encoder.embed(["sun dance smile", "rain on the road tears"])
    song = "\n sun dance smile \r\n\n \t\nrain on the road tears\nsun dance smile\n"
    by_hand = 2 * chorus + verse
    found = encoder.embed([song, "night train"])
    np.testing.assert_allclose(found[0], by_hand / np.linalg.norm(by_hand), atol=1e-6)
    np.testing.assert_allclose(
        found[1], tiny(folder, 64, pooling=pooling).embed(["night train"])[0], atol=1e-6
    )


def test_by_line_a_long_line_is_read_in_windows_and_a_long_text_in_part(folder: Path) -> None:
    # windows of [CLS], four words and [SEP]; twelve tokens of a text
    encoder = tiny(folder, 6, read_by="line", max_line_words=99, max_windows=2)
    ids = encoder.tokenizer(" ".join(WORDS), add_special_tokens=False)["input_ids"]
    pieces = [
        window.token_ids[1:-1] for window in encoder.windows([" ".join(WORDS), "sun\nrain\ntears\nroad\nsun"])
    ]
    assert pieces == [ids[0:4], ids[4:8], [ids[0]], [ids[1]], [ids[2]], [ids[3]]]
    assert len(encoder.windows(["", " \n "])) == 2


def test_a_text_without_line_breaks_is_read_in_parts_as_long_as_a_line(folder: Path) -> None:
    encoder = tiny(folder, 64, read_by="line", max_line_words=4, max_windows=9)
    words = [WORDS[i % len(WORDS)] for i in range(10)]  # in parts of four, four and two
    parts = [" ".join(words[i : i + 4]) for i in (0, 4, 8)]
    lost, kept = encoder.embed(["  ".join(words), "\n".join(parts)])
    np.testing.assert_array_equal(lost, kept)
    five = encoder.windows([" ".join(words[:5])])  # three and two, not four and one
    assert [len(window.token_ids) - 2 for window in five] == [3, 2]


def test_a_repeated_line_is_encoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny(folder, 64, read_by="line", max_windows=9)
    read_windows, seen = encoder.read_windows, []

    def count(input_ids: Any, attention_mask: Any) -> Any:
        seen.append(len(input_ids))
        return read_windows(input_ids, attention_mask)

    monkeypatch.setattr(encoder, "read_windows", count)
    encoder.embed(["sun dance\nrain\nsun dance", "rain\nroad", "sun dance"])
    assert sum(seen) == 3


@pytest.mark.parametrize("between", [" ", "\n"])
@pytest.mark.parametrize("read_by", ["window", "line"])
def test_a_text_of_half_a_million_characters_is_read(folder: Path, read_by: str, between: str) -> None:
    encoder = tiny(folder, 64, window_overlap=32, max_windows=8, read_by=read_by)
    endless = f"sun rain{between}" * 60_000
    assert len(endless) > 500_000
    # the one endless line is read in parts of twelve words and two special tokens
    most = 36 * 14 if read_by == "line" and between == " " else 8 * 64
    assert sum(len(window.token_ids) for window in encoder.windows([endless])) == most
    assert np.isfinite(encoder.embed([endless])).all()


def test_windows_that_cannot_overlap_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.window_overlap below 62"):
        tiny(folder, 512, window_overlap=62)


def test_an_encoder_reads_no_more_tokens_than_it_has_positions(folder: Path) -> None:
    encoder = tiny(folder, 512)
    assert encoder.max_tokens == 64
    assert np.isfinite(encoder.embed(["sun " * 500])).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.safetensors", "lacks 16 of its weights, for example encoder.layer.1."),
        ("tokenizer.json", "does not load"),
        ("config.json", "does not load"),
    ],
)
def test_an_incomplete_encoder_is_refused(copy: Path, name: str, message: str) -> None:
    if name == "model.safetensors":  # a whole file without a layer, which random numbers would replace
        kept = {k: v for k, v in load_file(copy / name).items() if "layer.1." not in k}
        save_file(kept, copy / name, metadata={"format": "pt"})
    else:
        (copy / name).write_text((copy / name).read_text()[:99])
    with pytest.raises(UserError, match=re.escape(message)) as error:
        tiny(copy, 64)
    assert "fetch it again" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["pooling", "read_by"])
def test_an_unknown_setting_is_an_error_and_not_another_setting(folder: Path, name: str) -> None:
    encoder = tiny(folder, 64)
    encoder.settings = encoder.settings.model_copy(update={name: "sum"})  # the settings' types refuse it, too
    with pytest.raises(ValueError, match="sum"):
        encoder.embed(["sun"])


def test_an_encoder_without_a_vocabulary_is_refused(copy: Path) -> None:
    for file in copy.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(UserError, match="has no vocabulary"):
        tiny(copy, 64)


def test_an_encoder_that_needs_more_than_text_is_refused(copy: Path) -> None:
    torch.manual_seed(0)
    T5Model(
        T5Config(
            vocab_size=20, d_model=8, d_ff=8, d_kv=4, num_layers=1, num_heads=2, decoder_start_token_id=0
        )
    ).save_pretrained(copy)
    with pytest.raises(UserError, match="cannot encode a text alone"):
        load_encoder(copy, tiny(copy, 64).settings)


def test_positions_that_padding_takes_do_not_count(copy: Path) -> None:
    torch.manual_seed(0)
    RobertaModel(
        RobertaConfig(
            **{"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2},
            **{"intermediate_size": 8, "max_position_embeddings": 34, "pad_token_id": 1},
        )
    ).save_pretrained(copy)
    encoder = tiny(copy, 64)
    assert encoder.max_tokens == 32
    assert np.isfinite(encoder.embed(["sun " * 99])).all()


def test_a_pooler_that_the_model_always_calls_does_no_harm(copy: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "embedding_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    SqueezeBertModel(SqueezeBertConfig(vocab_size=20, intermediate_size=8, **sizes)).save_pretrained(copy)
    load_encoder(copy, tiny(copy, 64).settings)


def test_encoder_without_pooler(tmp_path: Path, folder: Path) -> None:
    bare = write_tiny_encoder(tmp_path, pooler=False)
    np.testing.assert_allclose(tiny(bare, 64).embed(["sun"]), tiny(folder, 64).embed(["sun"]), atol=1e-6)


def test_a_saved_encoder_gives_the_same_embeddings(folder: Path, tmp_path: Path) -> None:
    encoder = tiny(folder, 64)
    encoder.save(tmp_path)
    np.testing.assert_array_equal(tiny(tmp_path, 64).embed(["sun rain"]), encoder.embed(["sun rain"]))


def test_the_id_depends_on_the_content_and_not_on_the_place(folder: Path, copy: Path) -> None:
    assert encoder_id(copy) == encoder_id(folder)
    (copy / "README.md").write_text("not a part of the encoder")
    assert encoder_id(copy) == encoder_id(folder)
    (copy / "config.json").write_text((copy / "config.json").read_text() + " ")
    assert encoder_id(copy) != encoder_id(folder)


def one_line(model: str) -> str:
    with pytest.raises(UserError, match=r"encoder\.model") as caught:
        resolve_encoder(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_that_does_not_exist() -> None:
    assert "/no/such/folder" in one_line("/no/such/folder")


def test_folder_without_config_or_weights(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    assert "no safetensors weights" in one_line(str(copy))
    (copy / "config.json").unlink()
    assert "no config.json" in one_line(str(copy))


def test_cut_off_weights(copy: Path) -> None:
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert "cut off or damaged" in one_line(str(copy))


CODE = {"AutoModel": "modeling.Evil", "AutoTokenizer": "other/repository--modeling.Evil"}


@pytest.mark.parametrize(
    ("file", "config"),
    [
        ("config.json", {"auto_map": CODE}),
        ("tokenizer_config.json", {"auto_map": CODE}),
        ("tokenizer_config.json", {"auto_map": ["modeling.Evil", None]}),
        ("config.json", {"model_type": "unknown", "auto_map": {"AutoConfig": "modeling.Evil"}}),
        ("config.json", {"text_config": {"auto_map": CODE}}),
        ("config.4.0.0.json", {"auto_map": CODE}),  # a version that config.json may name
    ],
)
def test_an_encoder_with_code_of_its_own_is_refused_and_never_run(
    copy: Path, file: str, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asks on the terminal"))
    ran = copy / "ran"
    (copy / "modeling.py").write_text(f"open({str(ran)!r}, 'w')\nclass Evil: ...\n")
    path = copy / file
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **config}))
    with pytest.raises(UserError, match=rf"/{file} names code of its own \(auto_map\).*never run"):
        resolve_encoder(str(copy))
    if file != "config.4.0.0.json":  # nor does the loader run it, whoever calls it
        with suppress(UserError):
            tiny(copy, 64)
    assert not ran.exists()


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "\x00"])
def test_an_encoder_with_a_damaged_configuration_is_refused(copy: Path, content: str) -> None:
    (copy / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json is not JSON"):
        resolve_encoder(str(copy))


def test_hugging_face_id_goes_to_the_hub(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked = []

    def fetch(model: str, **options: object) -> str:
        asked.append(model)
        if model == "some/unknown":
            raise ConnectionError("no network\nand more lines")
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert resolve_encoder("some/known") == folder.resolve()
    assert "no network" in one_line("some/unknown")
    assert asked == ["some/known", "some/unknown"]


def test_the_udf_embeds_on_executors(spark: SparkSession, settings: Settings, folder: Path) -> None:
    spark.sparkContext.addFile(str(folder), recursive=True)
    texts = ["sun dance", None, "", " \n ", "rain", "sun dance"]
    frame = spark.createDataFrame(list(enumerate(texts)), "i int, text string").repartition(3)
    embed = embedding_udf(folder.name, settings.encoder)
    rows = {row.i: row.v for row in frame.select("i", embed(F.col("text")).alias("v")).collect()}
    assert {i for i, vector in rows.items() if vector is None} == {1, 2, 3}
    assert len(rows[0]) == WIDTH
    expected = tiny(folder, 64).embed(["sun dance", "rain"])
    np.testing.assert_allclose([rows[0], rows[4], rows[5]], expected[[0, 1, 0]], atol=1e-6)


def test_the_udf_without_texts(spark: SparkSession, settings: Settings, folder: Path) -> None:
    spark.sparkContext.addFile(str(folder), recursive=True)
    embed = embedding_udf(folder.name, settings.encoder)
    frame = spark.createDataFrame([], "text string").select(embed(F.col("text")).alias("v"))
    assert frame.collect() == []
    assert dict(frame.dtypes) == {"v": "array<float>"}
