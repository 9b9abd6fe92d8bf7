"""A transformer that turns texts into embeddings. Importing this module takes seconds: it needs torch."""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from pyspark import TaskContext
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

from songmood.encoder.files import WEIGHTS, encoder_files
from songmood.engine.errors import UserError, first_line
from songmood.settings import ENGINES, FULL_PRECISION, EncoderSettings

Vectors = np.ndarray[Any, np.dtype[np.float32]]
_ON_GPU = 128  # times as many tokens in a batch as on a CPU
CUT_OFF, NO_KNOWN_WORD = "cut_off", "no_known_word"  # problems of a reading


class Window(NamedTuple):
    """A piece of a text that the encoder sees at once: the number of the text, and its token ids."""

    text: int
    token_ids: list[int]


class Reading(NamedTuple):
    """What an encoder read of texts: their embeddings, float32 (texts, width), in the order of the texts.

    The problem of a text is CUT_OFF if only its beginning was read, NO_KNOWN_WORD if none of its word pieces
    is in the vocabulary, else None. Its precision is that of the engine's numbers. `word_pieces` are those
    that were encoded.
    """

    embeddings: Vectors
    problems: list[str | None]
    precisions: list[str]
    word_pieces: int
    tokenizing_s: float
    encoding_s: float


Run = Callable[[Any, Any], Any]  # from the tensors of Encoder.pad to what Encoder.read_windows gives


class Engine(NamedTuple):
    """What runs a model, with its least cosine to torch in full precision on the texts that it was tried on.

    `speeds` has the word pieces a second of each engine tried, and `refused` why others were not taken.
    """

    name: str
    run: Run
    agreement: float = 1.0
    speeds: Mapping[str, float] = MappingProxyType({})
    refused: tuple[str, ...] = ()

    @property
    def precision(self) -> str:
        """The precision of the engine's numbers."""
        return ENGINES[self.name]


class Encoder:
    """A transformer with its tokenizer: the embedding of a text is one vector of length 1.

    With `read_by` line, each line that is not blank is encoded by itself, because encoders of sentences
    are made for the length of a line. A line of more than `max_line_words` is cut into equal parts. The
    text's embedding is the mean over its lines, each of length 1 and counted each time it occurs. With
    `read_by` window, a text is encoded at once.

    A piece of more than `max_tokens` is encoded in windows that overlap by `window_overlap`. A text is
    read as far as `max_windows` full windows reach. Pooling over tokens: mean (of the last layer), max,
    or cls (the mean of the windows' first tokens). A pooler is not needed; where an encoder has one, it
    is removed.

    Raises UserError where the folder does not hold a whole encoder with its vocabulary, or where windows
    cannot overlap by as much as the settings say.
    """

    def __init__(self, folder: Path, settings: EncoderSettings) -> None:
        quiet()
        self.tokenizer, self.model = _load(folder, settings.model)
        if getattr(self.model, "pooler", None) is not None:
            self.model.pooler = torch.nn.Identity()  # not None: some models call it without a check
        self.device = device()
        self.model.eval().to(self.device)
        self.folder, self.settings = folder, settings
        self.engine: Engine | None = None  # torch in full precision
        self._batch_tokens = settings.batch_tokens * (1 if self.device == "cpu" else _ON_GPU)
        self.max_tokens = min(settings.max_tokens, _positions(self.model), self.tokenizer.model_max_length)
        room = self.max_tokens - self.tokenizer.num_special_tokens_to_add()
        if not self.tokenizer.is_fast:
            raise UserError(
                f"the encoder {settings.model} has a tokenizer that cannot cut windows: set encoder.model to "
                "an encoder with a fast tokenizer (tokenizer.json)"
            )
        if settings.window_overlap >= room:
            raise UserError(
                f"the encoder {settings.model} reads {self.max_tokens} word pieces at once: "
                f"set encoder.window_overlap below {room}, or encoder.model to another encoder"
            )

    @property
    def width(self) -> int:
        """The number of dimensions of an embedding."""
        return int(self.model.config.hidden_size)

    def windows(self, texts: Sequence[str]) -> list[Window]:
        """The windows of all texts, in order; every text has at least one."""
        return self._windows(texts)[0]

    def _windows(self, texts: Sequence[str]) -> tuple[list[Window], set[int]]:
        """The windows of all texts, and the numbers of the texts that are not read to their end."""
        if not len(texts):
            return [], set()
        most = self.settings.max_windows * self.max_tokens  # of a text; each piece has at least one token
        pieces_of_text = [self._pieces(text) for text in texts]
        pieces = [(i, piece) for i, pieces in enumerate(pieces_of_text) for piece in pieces[:most]]
        cut_off = {i for i, pieces in enumerate(pieces_of_text) if len(pieces) > most}
        cut = self.tokenizer(
            [piece for _, piece in pieces],
            truncation=True,
            max_length=self.max_tokens,
            stride=self.settings.window_overlap,
            return_overflowing_tokens=True,
        )
        found: list[Window] = []
        tokens_of_text: Counter[int] = Counter()
        for piece, ids in zip(cut["overflow_to_sample_mapping"], cut["input_ids"], strict=True):
            text = pieces[piece][0]
            tokens_of_text[text] += len(ids)
            if tokens_of_text[text] <= most:
                found.append(Window(text, list(ids)))
            else:
                cut_off.add(text)
        return found, cut_off

    def pad(self, token_ids: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Tensors input_ids and attention_mask of windows, padded to the longest of them."""
        padded = self.tokenizer.pad({"input_ids": [list(ids) for ids in token_ids]}, return_tensors="pt")
        return {name: padded[name] for name in ("input_ids", "attention_mask")}

    def read_windows(self, input_ids: Any, attention_mask: Any) -> Any:
        """One vector for each window, (windows, width): a tensor for `join_windows`."""
        states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.pool(states, attention_mask)

    def pool(self, states: Any, attention_mask: Any) -> Any:
        """One vector for each window, (windows, width), of the tensor of its tokens' vectors."""
        mask = attention_mask.unsqueeze(-1)
        if self.settings.pooling == "mean":
            return (states * mask.to(states.dtype)).sum(1)
        if self.settings.pooling == "max":
            return states.masked_fill(mask == 0, -torch.inf).amax(1)
        if self.settings.pooling == "cls":
            return states[:, 0]
        raise ValueError(f"unknown pooling: {self.settings.pooling}")

    def join_windows(self, windows: Any, texts: Any, count: int) -> Any:
        """The embedding of each text, of length 1, (count, width): a tensor.

        `windows` are vectors of windows, and `texts` has the number of the text of each.
        """
        by_line = self.settings.read_by == "line"
        if by_line:
            windows = torch.nn.functional.normalize(windows, dim=1)
        if self.settings.pooling == "max" and not by_line:
            pooled = torch.full(
                (count, windows.shape[1]), -torch.inf, dtype=windows.dtype, device=windows.device
            )
            pooled = pooled.index_reduce(0, texts, windows, "amax")
        else:
            pooled = windows.new_zeros((count, windows.shape[1])).index_add(0, texts, windows)
        return torch.nn.functional.normalize(pooled, dim=1)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The embedding of each text, float32 (texts, width), in the order given."""
        return self.read(texts).embeddings

    def read(self, texts: Sequence[str]) -> Reading:
        """The embedding of each text, and how the reading went.

        A text whose numbers are too large for half precision is read in full precision.
        """
        reading, engine = self._read(texts), self.engine
        bad = np.flatnonzero(~np.isfinite(reading.embeddings).all(axis=1)).tolist()
        if engine is None or engine.precision == FULL_PRECISION or not bad:
            return reading
        self.engine = None
        try:
            again = self._read([texts[i] for i in bad])
        finally:
            self.engine = engine
        reading.embeddings[bad] = again.embeddings
        for i in bad:
            reading.precisions[i] = FULL_PRECISION
        return reading._replace(encoding_s=reading.encoding_s + again.tokenizing_s + again.encoding_s)

    def _read(self, texts: Sequence[str]) -> Reading:
        started = time.perf_counter()
        windows, cut_off = self._windows(texts)
        # a repeated line is encoded once; sorted by length, batches need little padding
        distinct = sorted({tuple(window.token_ids) for window in windows}, key=lambda ids: (len(ids), ids))
        tokenized = time.perf_counter()
        vectors = self._encode(distinct)
        place = {ids: i for i, ids in enumerate(distinct)}
        places = [place[tuple(window.token_ids)] for window in windows]
        text_of_window = torch.tensor([window.text for window in windows], dtype=torch.long)
        joined = self.join_windows(vectors[places], text_of_window, len(texts))
        unknown = set(self.tokenizer.all_special_ids)
        known = {window.text for window in windows if not unknown.issuperset(window.token_ids)}
        problems = dict.fromkeys(cut_off, CUT_OFF)
        problems |= dict.fromkeys({window.text for window in windows} - known, NO_KNOWN_WORD)
        return Reading(
            np.asarray(joined.numpy(), dtype=np.float32),
            [problems.get(i) for i in range(len(texts))],
            [self.engine.precision if self.engine else FULL_PRECISION] * len(texts),
            sum(map(len, distinct)),
            tokenized - started,
            time.perf_counter() - tokenized,
        )

    def _encode(self, windows: Sequence[Sequence[int]]) -> Any:
        """One vector for each window, (windows, width): a tensor. The windows are sorted by length."""
        vectors = torch.zeros((len(windows), self.width))
        lengths = [len(window) for window in windows]
        self.model.eval()
        run: Run = self.engine.run if self.engine else self.read_windows
        start = 0
        with torch.inference_mode():
            while start < len(windows):
                end = _batch_end(lengths, start, self._batch_tokens)
                batch = {
                    name: tensor.to(self.device) for name, tensor in self.pad(windows[start:end]).items()
                }
                try:
                    vectors[start:end] = run(batch["input_ids"], batch["attention_mask"]).cpu()
                except torch.cuda.OutOfMemoryError:  # other tasks may share the GPU
                    if end - start == 1:
                        raise
                    self._batch_tokens = (end - start) * lengths[end - 1] // 2
                    torch.cuda.empty_cache()
                else:
                    start = end
        return vectors

    def trial_texts(self) -> list[str]:
        """A short and a long text: what an encoder and its engines must cope with, whatever the corpus."""
        return ["a few words", "la " * self.max_tokens]

    def layers(self) -> list[Any]:
        """The transformer's layers, lowest first. Raises UserError if they cannot be found."""
        count = getattr(self.model.config, "num_hidden_layers", None)
        for module in self.model.modules():
            if isinstance(module, torch.nn.ModuleList) and len(module) == count:
                return list(module)
        raise UserError(
            f"cannot find the layers of the encoder {self.settings.model}: "
            "set train.trained_layers to 0 or -1"
        )

    def save(self, folder: Path) -> None:
        """Write the encoder, as it is now, to a folder that loads again: safetensors, JSON, vocabulary."""
        for file in encoder_files(self.folder):
            if file.suffix != ".safetensors" and not file.name.endswith(".index.json"):
                shutil.copyfile(file, folder / file.name)
        state = {name: tensor.contiguous().cpu() for name, tensor in self.model.state_dict().items()}
        save_file(state, str(folder / WEIGHTS), metadata={"format": "pt"})

    def _pieces(self, text: str) -> list[str]:
        """The parts of a text that are encoded by themselves; at least one."""
        if self.settings.read_by == "line":
            return _lines(text, self.settings.max_line_words)
        if self.settings.read_by == "window":
            return [text]
        raise ValueError(f"unknown way to read: {self.settings.read_by}")


def load_encoder(folder: Path, settings: EncoderSettings) -> Encoder:
    """An encoder that has proved itself on a short and a long text. Raises UserError if it cannot."""
    encoder = Encoder(folder, settings)
    try:
        embeddings = encoder.embed(encoder.trial_texts())
    except Exception as error:  # families of models differ in the inputs that they need, and in their errors
        raise UserError(
            f"the encoder {settings.model} cannot encode a text alone ({first_line(error)}): "
            "set encoder.model to another encoder"
        ) from None
    if not np.isfinite(embeddings).all():
        raise UserError(
            f"the encoder {settings.model} gives embeddings that are not numbers: "
            "fetch it again, or set encoder.model to another encoder"
        )
    return encoder


def device() -> str:
    """The device that models run on: the GPU that Spark has given to the task, else any GPU, else the CPU.

    Where CUDA_VISIBLE_DEVICES lists GPUs, CUDA numbers them by their place in the list; cluster managers and
    Spark plugins set it (NVIDIA/spark-rapids issue 6380).
    """
    if not torch.cuda.is_available():
        return "cpu"
    task = TaskContext.get()
    given = task.resources().get("gpu") if task else None
    if not given:
        return "cuda"
    address = given.addresses[0].strip()
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    if visible:
        address = str(visible.index(address)) if address in visible else "0"
    return f"cuda:{address}"


def one_thread_in_workers() -> None:
    """Keep torch to one thread in a Spark worker: Spark runs a worker for each core."""
    if TaskContext.get() is not None:
        torch.set_num_threads(1)


def quiet() -> None:
    """Keep transformers' progress bars and hints off the terminal."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def _load(folder: Path, name: str) -> tuple[Any, Any]:
    """The tokenizer and the model of a folder. Raises UserError, with the name, unless both are whole."""
    advice = "fetch it again, or set encoder.model to another encoder"
    try:
        # without trust_remote_code=False, transformers asks on the terminal whether to run a folder's code
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        model, info = AutoModel.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # files can be wrong in many ways, each with an error of another library
        raise UserError(f"the encoder {name} does not load ({first_line(error)}): {advice}") from None
    # missing weights would be filled with random numbers, and unknown words would all be the same token
    missing = sorted(weight for weight in info["missing_keys"] if "pooler" not in weight.split("."))
    if missing:
        raise UserError(
            f"the encoder {name} lacks {len(missing)} of its weights, for example {missing[0]}: {advice} "
            "(it may be half of a model that also generates text)"
        )
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise UserError(f"the encoder {name} has no vocabulary, such as tokenizer.json: {advice}")
    return tokenizer, model


def _positions(model: Any) -> int:
    """The number of tokens whose positions a model can distinguish.

    RoBERTa and its kin do not use the first rows of their table of positions.
    """
    configured = getattr(model.config, "max_position_embeddings", None)
    positions = configured if isinstance(configured, int) and configured > 0 else sys.maxsize
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return min(positions, int(module.num_embeddings) - unused)
    return positions


def _batch_end(lengths: Sequence[int], start: int, most: int) -> int:
    """Where the batch from `start` ends: of at most `most` tokens with padding, but at least one window.

    The lengths are sorted.
    """
    end = start + 1
    while end < len(lengths) and (end + 1 - start) * lengths[end] <= most:
        end += 1
    return end


def _lines(text: str, max_words: int) -> list[str]:
    """The lines of a text that are not blank, in equal parts of at most `max_words`; a blank text itself."""
    lines = []
    for words in filter(None, map(str.split, text.splitlines())):
        size = math.ceil(len(words) / math.ceil(len(words) / max_words))
        lines += [" ".join(words[i : i + size]) for i in range(0, len(words), size)]
    return lines or [text]
