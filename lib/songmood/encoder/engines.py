"""Engines: what runs an encoder's model. torch in full or half precision, and ONNX Runtime.

A worker tries the engines on some of its own texts, and takes a fast one of those that agree with torch in
full precision. ONNX Runtime's int8 is not among them: with all-MiniLM-L6-v2 its cosine to full precision is
.992 to .995 on lyrics, at 1.2 to 1.7 times the speed of its full precision.
"""

from __future__ import annotations

import copy
import io
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from songmood.encoder.encoder import Encoder, Engine, Run, Vectors
from songmood.engine.errors import first_line
from songmood.settings import FULL_PRECISION

_SAME = 1e-4  # two engines of full precision differ by at most this in any number of an embedding
_LARGEST_EXPORT = 1 << 30  # bytes of weights: a graph in one piece holds at most twice as much
_CLEARLY = 1.5  # times as fast: a smaller lead may be noise, and the choice is to be the same in each run
_SAMPLE = 512  # word pieces that an engine is tried on: a quarter of a second of a core
_INPUTS = ["input_ids", "attention_mask"]


def choose_engine(encoder: Encoder, texts: Sequence[str]) -> Engine:
    """Give an encoder the engine of its settings or, if that is auto, the one that is best for its device.

    That is the first of `_candidates`, unless another one is clearly faster with texts like these.
    Other engines than torch in full precision are tried on a sample of the texts. One of full precision must
    give the same numbers to 1e-4, one of half precision a cosine of at least settings.min_agreement.
    Otherwise, and where it does not start, torch is used, and `refused` says why.
    """
    plain = Engine("torch", encoder.read_windows)
    wanted = encoder.settings.engine
    names = _candidates(encoder) if wanted == "auto" else [wanted]
    engines, refused, speeds = [], [], {}
    if names != ["torch"]:
        sample = _sample(encoder, texts)
        encoder.engine = plain
        expected = encoder.read(sample).embeddings
        for name in (name for name in names if name != "torch"):
            try:
                encoder.engine = Engine(name, _STARTS[name](encoder))
                agreement = _agreement(encoder, sample, expected)
                engines.append(encoder.engine._replace(agreement=agreement))
            except _Disagrees as error:
                refused.append(f"the engine {name} {error}")
            except Exception as error:  # exporters and runtimes fail in many ways
                refused.append(f"the engine {name} does not start ({first_line(error)})")
        if "torch" in names or not engines:
            engines.append(plain)
        if len(engines) > 1:
            speeds = _speeds(encoder, engines, sample)
    fastest = max(speeds.values(), default=0.0)
    fast = [engine for engine in engines if speeds.get(engine.name, fastest) * _CLEARLY >= fastest]
    encoder.engine = (fast or [plain])[0]._replace(speeds=speeds, refused=tuple(refused))
    return encoder.engine


class _Disagrees(Exception):
    """An engine's embeddings are not those of torch in full precision."""


def _agreement(encoder: Encoder, sample: Sequence[str], expected: Vectors) -> float:
    """The least cosine of the encoder's embeddings to the expected ones; raises _Disagrees if they differ."""
    assert encoder.engine is not None
    precision, reading = encoder.engine.precision, encoder.read(sample)
    is_good = np.isfinite(expected.sum(axis=1))
    found, expected = reading.embeddings[is_good], expected[is_good]
    agreement = float(np.min((found * expected).sum(axis=1), initial=1.0))
    if precision == FULL_PRECISION:
        agrees = bool((np.abs(found - expected) <= _SAME).all())
    else:
        agrees = agreement >= encoder.settings.min_agreement
    if not agrees:
        raise _Disagrees(f"gives other embeddings than torch in full precision (cosine {agreement:.4f})")
    if any(other != precision for other, good in zip(reading.precisions, is_good, strict=True) if good):
        raise _Disagrees("gives embeddings that are not of numbers")
    return agreement


def _candidates(encoder: Encoder) -> list[str]:
    """The engines worth a trial on the encoder's device, the one that should be fastest first."""
    if encoder.device != "cpu":
        return ["torch_bf16" if torch.cuda.is_bf16_supported() else "torch_fp16"]
    names = ["torch_bf16"] if _computes_bf16() else []
    if sum(weights.nbytes for weights in encoder.model.state_dict().values()) <= _LARGEST_EXPORT:
        names.append("onnx")
    return [*names, "torch"]


def _computes_bf16() -> bool:
    """Whether the CPU computes with bfloat16: elsewhere torch imitates it, slowly."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:  # no Linux
        return False
    return not flags.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def _sample(encoder: Encoder, texts: Sequence[str]) -> list[str]:
    """Texts, evenly spaced among all, with about `_SAMPLE` word pieces together, a short and a long one."""
    lengths = [0] * len(texts)
    for number, token_ids in encoder.windows(texts):
        lengths[number] += len(token_ids)
    count = max(1, min(len(texts), _SAMPLE * len(texts) // max(1, sum(lengths))))
    return [*(texts[i * len(texts) // count] for i in range(count)), *encoder.trial_texts()]


def _speeds(encoder: Encoder, engines: Sequence[Engine], sample: Sequence[str]) -> dict[str, float]:
    """Word pieces a second of each engine: the better of two trials, one of each engine after another."""
    speeds = dict.fromkeys((engine.name for engine in engines), 0.0)
    for _ in range(2):
        for engine in engines:
            encoder.engine = engine
            started = time.perf_counter()
            pieces = encoder.read(sample).word_pieces
            speeds[engine.name] = max(speeds[engine.name], pieces / (time.perf_counter() - started))
    return speeds


# -- the engines ---------------------------------------------------------------------------------------------


def _start_half(precision: torch.dtype, encoder: Encoder) -> Run:
    model = copy.deepcopy(encoder.model).to(precision)

    def run(input_ids: Any, attention_mask: Any) -> Any:
        states = model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return encoder.pool(states.float(), attention_mask)

    return run


def _start_onnx(encoder: Encoder) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(_export(encoder), options, providers=["CPUExecutionProvider"])

    def run(input_ids: Any, attention_mask: Any) -> Any:
        inputs = (input_ids.numpy(), attention_mask.numpy())
        return torch.from_numpy(session.run(None, dict(zip(_INPUTS, inputs, strict=True)))[0])

    return run


class _Reads(torch.nn.Module):  # type: ignore[misc]
    """`Encoder.read_windows` as a module, which is what can be exported."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.model = encoder.model
        self.read = encoder.read_windows

    def forward(self, input_ids: Any, attention_mask: Any) -> Any:
        return self.read(input_ids, attention_mask)


def _export(encoder: Encoder) -> bytes:
    """The encoder's model and pooling as an ONNX graph, for any number of windows of any length."""
    attention = encoder.model.config._attn_implementation
    encoder.model.set_attn_implementation("eager")  # fused attention is exported for one length only
    inputs = encoder.pad([window.token_ids for window in encoder.windows(["a few words", "more words"])])
    graph = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of the tracer, about shapes that are the same in all encoders
            torch.onnx.export(
                _Reads(encoder).eval(),
                tuple(inputs[name] for name in _INPUTS),
                graph,
                input_names=_INPUTS,
                output_names=["windows"],
                dynamic_axes={name: {0: "window", 1: "token"} for name in _INPUTS}
                | {"windows": {0: "window"}},
                opset_version=17,
                dynamo=False,  # the newer exporter takes several times as long and needs two more packages
            )
    finally:
        encoder.model.set_attn_implementation(attention)
    return graph.getvalue()


_STARTS: dict[str, Callable[[Encoder], Run]] = {
    "onnx": _start_onnx,
    "torch_bf16": partial(_start_half, torch.bfloat16),
    "torch_fp16": partial(_start_half, torch.float16),
}
