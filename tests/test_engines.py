"""Engines that run an encoder: all give the same embeddings, and a bad one is not used."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from pyspark import TaskContext
from pyspark.resource import ResourceInformation
from safetensors.torch import load_file, save_file

from mood_songs import BY_LINE
from songmood.encoder import engines
from songmood.encoder.encoder import Encoder, Engine, device
from songmood.encoder.engines import choose_engine
from songmood.encoder.files import resolve_encoder
from songmood.settings import ENGINES
from tiny_encoder import HAPPY, SAD, write_tiny_encoder

TEXTS = ["sun dance\nrain", "lonely road home", "night " * 50, "sun", "\U0001f600", "party\nparty\nriver"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def encoder(folder: Path) -> Callable[..., Encoder]:
    return lambda **settings: Encoder(folder, BY_LINE.model_copy(update=settings))


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize(
    "reads", [{}, {"read_by": "window"}, {"pooling": "max"}, {"pooling": "cls", "read_by": "window"}]
)
def test_all_engines_give_the_same_embeddings(
    encoder: Callable[..., Encoder], engine: str, reads: dict[str, str]
) -> None:
    plain, other = encoder(**reads), encoder(engine=engine, min_agreement=0.9, **reads)
    chosen = choose_engine(other, TEXTS)
    assert (chosen.name, chosen.refused) == (engine, ())
    is_full = ENGINES[engine] == "float32"
    found, expected = other.embed(TEXTS), plain.embed(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-6 if is_full else 0.05)
    assert chosen.agreement == pytest.approx(1, abs=1e-6 if is_full else 0.01)
    assert other.read([]).embeddings.shape == (0, plain.width)


def test_auto_takes_a_fast_engine_on_a_real_encoder() -> None:
    encoder = Encoder(resolve_encoder("embedded"), BY_LINE.model_copy(update={"engine": "auto"}))
    texts = [f"we dance in the sun\nand love is {number} times as bright" for number in range(200)]
    expected = encoder.embed(texts)
    chosen = choose_engine(encoder, texts)
    assert chosen.refused == ()
    assert {"torch", "onnx"} <= set(chosen.speeds)
    assert chosen.speeds[chosen.name] * 1.5 >= max(chosen.speeds.values()) > 0
    assert (encoder.embed(texts) * expected).sum(axis=1) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("torch_speed", "expected"), [(900, "onnx"), (1400, "onnx"), (1600, "torch")])
def test_auto_takes_the_same_engine_in_each_run(
    encoder: Callable[..., Encoder], torch_speed: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise must not change the last digits of a run's results; an engine that is clearly faster may."""
    monkeypatch.setattr(engines, "_computes_bf16", lambda: False)
    monkeypatch.setattr(engines, "_speeds", lambda *_: {"onnx": 1000.0, "torch": torch_speed})
    assert choose_engine(encoder(engine="auto"), TEXTS).name == expected


def test_an_engine_that_does_not_start_is_not_used(
    encoder: Callable[..., Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(encoder: Encoder) -> Any:
        raise RuntimeError("no operator aten::new\nmore lines")

    monkeypatch.setattr(engines, "_computes_bf16", lambda: False)
    monkeypatch.setitem(engines._STARTS, "onnx", start)
    for wanted in ("onnx", "auto"):
        chosen = choose_engine(encoder(engine=wanted), TEXTS)
        assert chosen.name == "torch"
        assert chosen.refused == ("the engine onnx does not start (no operator aten::new)",)


def test_an_engine_with_other_numbers_is_not_used(
    encoder: Callable[..., Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runtimes have given other numbers than torch (onnxruntime issues), and NaN."""

    def start(wrong: Callable[[Any], Any], encoder: Encoder) -> Any:
        return lambda ids, mask: wrong(encoder.read_windows(ids, mask))

    def shifted(windows: Any) -> Any:
        return windows + 0.02 * windows.abs().mean()

    monkeypatch.setattr(engines, "_computes_bf16", lambda: False)
    for wrong in (shifted, lambda windows: windows * torch.nan):
        monkeypatch.setitem(engines._STARTS, "onnx", lambda encoder, wrong=wrong: start(wrong, encoder))
        tried = encoder(engine="auto")
        chosen = choose_engine(tried, TEXTS)
        assert chosen.name == "torch"
        assert chosen.refused[0].startswith("the engine onnx gives other embeddings than torch")
        np.testing.assert_array_equal(tried.embed(TEXTS), encoder().embed(TEXTS))


def test_half_precision_must_agree_as_well_as_the_settings_ask(encoder: Callable[..., Encoder]) -> None:
    assert choose_engine(encoder(engine="torch_bf16", min_agreement=0.9), TEXTS).name == "torch_bf16"
    chosen = choose_engine(encoder(engine="torch_bf16", min_agreement=0.9999999), TEXTS)
    assert chosen.name == "torch"
    assert chosen.refused[0].startswith("the engine torch_bf16 gives other embeddings than torch")


def test_a_text_too_large_for_half_precision_is_read_in_full(folder: Path, tmp_path: Path) -> None:
    """Numbers above 65,504 are infinite in float16 (unslothai/unsloth, pull request 4014)."""
    large = Path(shutil.copytree(folder, tmp_path / "large"))
    weights = load_file(large / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][11] *= 1e6  # "cold"
    save_file(weights, large / "model.safetensors", metadata={"format": "pt"})
    settings = BY_LINE.model_copy(update={"engine": "torch_fp16", "min_agreement": 0.9})
    plain, encoder = (Encoder(large, settings) for _ in range(2))
    assert choose_engine(encoder, ["sun", "rain dance"]).name == "torch_fp16"
    reading = encoder.read(["sun", "cold", "rain"])
    assert reading.precisions == ["float16", "float32", "float16"]
    np.testing.assert_allclose(reading.embeddings[1], plain.embed(["cold"])[0], atol=1e-6)
    chosen = choose_engine(encoder, ["sun", "cold"])  # a corpus of such texts would be read twice
    assert (chosen.name, chosen.refused) == (
        "torch",
        ("the engine torch_fp16 gives embeddings that are not of numbers",),
    )


FAMILIES = {
    "Roberta": {}, "MPNet": {}, "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "ModernBert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "DistilBert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_onnx_reads_texts_of_any_length_with_any_family(folder: Path, tmp_path: Path, family: str) -> None:
    """Exported models have given other embeddings for other lengths and for padded batches (onnxruntime
    issue 6044, transformers issue 14422), and have asked for token_type_ids (optimum issue 2062)."""
    other = Path(shutil.copytree(folder, tmp_path / family))
    sizes: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"vocab_size": 64, "max_position_embeddings": 66, "pad_token_id": 0, "initializer_range": 0.5}
    sizes |= {"intermediate_size": 64, **FAMILIES[family]}
    torch.manual_seed(1)
    model = getattr(transformers, f"{family}Model")(getattr(transformers, f"{family}Config")(**sizes))
    model.save_pretrained(other)
    settings = BY_LINE.model_copy(update={"read_by": "window", "engine": "onnx"})
    plain, encoder = (Encoder(other, settings) for _ in range(2))
    assert choose_engine(encoder, ["sun dance"]).refused == ()
    chance = random.Random(1)
    texts = [" ".join(chance.choices([*HAPPY, *SAD], k=chance.randrange(1, 90))) for _ in range(40)]
    np.testing.assert_allclose(encoder.embed(texts), plain.embed(texts), atol=1e-4)


def test_texts_without_a_vector_of_numbers_say_nothing_of_an_engine(folder: Path, tmp_path: Path) -> None:
    ill = Path(shutil.copytree(folder, tmp_path / "ill"))
    weights = load_file(ill / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][11] = torch.nan  # "cold"
    save_file(weights, ill / "model.safetensors", metadata={"format": "pt"})
    for texts in (["sun", "cold", "rain"], ["cold"]):
        encoder = Encoder(ill, BY_LINE.model_copy(update={"engine": "onnx"}))
        assert choose_engine(encoder, texts).name == "onnx"
        assert np.isnan(encoder.embed(["cold"])).any()
        assert np.isfinite(encoder.embed(["sun"])).all()


# -- GPUs ------------------------------------------------------------------------------------------


def test_a_full_gpu_halves_the_batch(encoder: Callable[..., Encoder]) -> None:
    small = encoder(batch_tokens=10_000)
    tried: list[int] = []

    def run(input_ids: Any, attention_mask: Any) -> Any:
        tried.append(len(input_ids))
        if len(input_ids) > 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return small.read_windows(input_ids, attention_mask)

    small.engine = Engine("torch", run)
    texts = [f"sun{' rain' * number}" for number in range(10)]
    np.testing.assert_allclose(small.embed(texts), encoder().embed(texts), atol=1e-6)
    assert tried[0] == 10
    count = len(tried)
    small.embed(texts)
    assert max(tried[count:]) <= 3  # it goes on with what had room


def test_a_gpu_without_room_for_one_window_is_an_error(encoder: Callable[..., Encoder]) -> None:
    def run(input_ids: Any, attention_mask: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    full = encoder()
    full.engine = Engine("torch", run)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        full.embed(["sun"])


@pytest.mark.parametrize(
    ("there", "given", "visible", "expected"),
    [
        (False, ["0"], "", "cpu"),
        (True, ["3"], "", "cuda:3"),
        (True, None, "", "cuda"),
        # NVIDIA/spark-rapids issue 6380, spark-rapids-ml pull request 273
        (True, ["3"], "3", "cuda:0"),
        (True, ["3"], "1, 3", "cuda:1"),
        (True, ["0"], "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "cuda:0"),
    ],
)
def test_the_device_is_the_one_that_spark_gives_to_the_task(
    there: bool, given: list[str] | None, visible: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    resources = {"gpu": ResourceInformation("gpu", given)} if given else {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(TaskContext, "get", lambda: SimpleNamespace(resources=lambda: resources))
    assert device() == expected
