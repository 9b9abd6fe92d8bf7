"""Reading texts with an encoder, here and on executors."""

from __future__ import annotations

import math
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from pyspark import SparkFiles, TaskContext
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

from songmood.encoder.files import WEIGHTS, encoder_files
from songmood.engine.errors import UserError, first_line
from songmood.settings import EncoderSettings

# Rows given to the model function at once. It sorts them by length before it makes batches of them.
_ROWS = 1024


class Window(NamedTuple):
    """A piece of a text that the encoder reads at once: which text, and its token ids."""

    text: int
    token_ids: list[int]


class Encoder:
    """A transformer with its tokenizer: reads a text as one vector of length 1.

    With `read_by` line, each line that is not blank is read for itself, one of more than `max_line_words`
    in equal parts of no more, and the text's vector is the mean of its lines', each of length 1 and
    counted as often as it stands there: encoders of sentences are made for a line's length. With window,
    a text is read at once. What is longer than `max_tokens` is read in windows that overlap by
    `window_overlap`. Of a text as many word pieces are read as `max_windows` full windows hold. Pooling
    over tokens: mean (of the last layer), max, or cls (the mean of the windows' first tokens). No pooler
    is needed, so every encoder will do; one that has a pooler loses it, unused.

    Raises UserError where the folder does not hold a whole encoder with its words, or a window
    cannot overlap.
    """

    def __init__(self, folder: Path, settings: EncoderSettings) -> None:
        quiet()
        self.tokenizer, self.model = _load(folder)
        if getattr(self.model, "pooler", None) is not None:
            self.model.pooler = torch.nn.Identity()  # not None: some models call it without asking
        self.model.eval().to(device())
        self.folder, self.settings = folder, settings
        self.max_tokens = min(settings.max_tokens, _positions(self.model), self.tokenizer.model_max_length)
        room = self.max_tokens - self.tokenizer.num_special_tokens_to_add()
        if not self.tokenizer.is_fast or settings.window_overlap >= room:
            raise UserError(
                f"the encoder {folder} reads {self.max_tokens} word pieces at once"
                f"{'' if self.tokenizer.is_fast else ', by a tokenizer that cannot cut windows'}: "
                f"set encoder.window_overlap below {room}, or encoder.model to another"
            )

    @property
    def width(self) -> int:
        """Numbers in a text's vector."""
        return int(self.model.config.hidden_size)

    def windows(self, texts: Sequence[str]) -> list[Window]:
        """The windows of all texts, in order; every text has one at least."""
        if not len(texts):
            return []
        by_line, most = self.settings.read_by == "line", self.settings.max_line_words
        pieces = [
            (i, piece)
            for i, text in enumerate(texts)
            for piece in (_lines(text, most) if by_line else [text])
        ]
        cut = self.tokenizer(
            [piece for _, piece in pieces],
            truncation=True,
            max_length=self.max_tokens,
            stride=self.settings.window_overlap,
            return_overflowing_tokens=True,
        )
        found: list[Window] = []
        read: Counter[int] = Counter()
        for piece, ids in zip(cut["overflow_to_sample_mapping"], cut["input_ids"], strict=True):
            text = pieces[piece][0]
            read[text] += len(ids)
            if read[text] <= self.settings.max_windows * self.max_tokens:
                found.append(Window(text, list(ids)))
        return found

    def pad(self, token_ids: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Tensors input_ids and attention_mask of windows, padded to the longest of them."""
        padded = self.tokenizer.pad({"input_ids": [list(ids) for ids in token_ids]}, return_tensors="pt")
        return {name: padded[name] for name in ("input_ids", "attention_mask")}

    def read_windows(self, input_ids: Any, attention_mask: Any) -> Any:
        """What each window gives its text, (windows, width); a tensor for `join_windows`."""
        states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.settings.pooling == "cls":
            return states[:, 0]
        mask = attention_mask.unsqueeze(-1)
        if self.settings.pooling == "max":
            return states.masked_fill(mask == 0, -torch.inf).amax(1)
        return (states * mask.to(states.dtype)).sum(1)

    def join_windows(self, windows: Any, texts: Any, count: int) -> Any:
        """Each text's vector of length 1, (count, width), from its windows' and whose they are; a tensor."""
        by_line = self.settings.read_by == "line"
        if by_line:
            windows = torch.nn.functional.normalize(windows, dim=1)
        if self.settings.pooling == "max" and not by_line:
            joined = torch.full(
                (count, windows.shape[1]), -torch.inf, dtype=windows.dtype, device=windows.device
            )
            joined = joined.index_reduce(0, texts, windows, "amax")
        else:
            joined = windows.new_zeros((count, windows.shape[1])).index_add(0, texts, windows)
        return torch.nn.functional.normalize(joined, dim=1)

    def read(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The vector of each text, length 1, float32 (texts, width), in the order given."""
        windows = self.windows(texts)
        # a chorus is read once; sorted, there is little padding in a batch
        distinct = sorted({tuple(window.token_ids) for window in windows}, key=lambda ids: (len(ids), ids))
        parts = torch.zeros((len(distinct), self.width))
        self.model.eval()
        with torch.inference_mode():
            for start in range(0, len(distinct), self.settings.batch_size):
                batch = self.pad(distinct[start : start + self.settings.batch_size])
                said = self.read_windows(**{k: v.to(device()) for k, v in batch.items()})
                parts[start : start + len(said)] = said.cpu()
            place = {ids: i for i, ids in enumerate(distinct)}
            parts = parts[[place[tuple(window.token_ids)] for window in windows]]
            texts_of = torch.tensor([window.text for window in windows], dtype=torch.long)
            vectors = self.join_windows(parts, texts_of, len(texts)).numpy()
        return np.asarray(vectors, dtype=np.float32)

    def layers(self) -> list[Any]:
        """The transformer's layers, lowest first. Raises UserError if they cannot be told apart."""
        count = getattr(self.model.config, "num_hidden_layers", None)
        for module in self.model.modules():
            if isinstance(module, torch.nn.ModuleList) and len(module) == count:
                return list(module)
        raise UserError(
            f"cannot tell the layers of the encoder {self.folder} apart: set train.trained_layers to 0 or -1"
        )

    def save(self, folder: Path) -> None:
        """Write the encoder, as it is now, to a folder that loads again: safetensors, JSON, vocabulary."""
        for file in encoder_files(self.folder):
            if file.suffix != ".safetensors" and not file.name.endswith(".index.json"):
                shutil.copyfile(file, folder / file.name)
        state = {name: tensor.contiguous().cpu() for name, tensor in self.model.state_dict().items()}
        save_file(state, str(folder / WEIGHTS), metadata={"format": "pt"})


def try_encoder(folder: Path, settings: EncoderSettings) -> None:
    """Read a short and a long text here, so that what is wrong with an encoder is said before workers begin.

    Raises UserError.
    """
    encoder = Encoder(folder, settings)
    try:
        said = encoder.read(["a few words", "la " * encoder.max_tokens])
    except Exception as error:  # families of models differ in what they ask for, and in their errors
        raise UserError(
            f"the encoder {folder} reads no text alone ({first_line(error)}): set encoder.model to another"
        ) from None
    if not np.isfinite(said).all():
        raise UserError(f"the encoder {folder} gives no numbers: fetch it again, or set encoder.model")


def embedding_udf(folder_name: str, settings: EncoderSettings) -> Callable[[Column], Column]:
    """A function of a text column: the encoder's reading as array<float> of length 1.

    The folder was shipped under `folder_name`; it is loaded once a worker process. A null or blank
    text has no reading: null. A text's numbers may differ in the seventh digit with the texts that
    share its batch.
    """

    def load() -> Callable[[Any], Any]:
        one_thread_in_workers()
        encoder = Encoder(Path(SparkFiles.get(folder_name)), settings)

        return lambda texts: encoder.read([str(text) for text in texts])

    udf = predict_batch_udf(load, return_type=T.ArrayType(T.FloatType()), batch_size=_ROWS)
    # a Python UDF sees every row, whatever F.when says, and predict_batch_udf takes no nulls
    return lambda text: F.when(is_text(text), udf(F.coalesce(text, F.lit(""))))


def spread(frame: DataFrame) -> DataFrame:
    """The rows dealt over all cores by song_id, before a model reads each.

    Spark would put a small table into one partition, which one core then reads alone. Four parts a
    core even out long and short lyrics, and keep what a lost executor takes with it small. In a part
    rows are in the order of song_id: a text's last digits hang on the texts that share its batch, and
    rows come from other executors in any order; UMAP would then make another map of the same songs.
    """
    parts = 4 * frame.sparkSession.sparkContext.defaultParallelism
    return frame.repartition(parts, "song_id").sortWithinPartitions("song_id")


def is_text(text: Column) -> Column:
    """True where a text has something to read: not null, not only white space."""
    return F.coalesce(text.rlike(r"\S"), F.lit(False))


def device() -> str:
    """Where models run: cuda where there is a GPU, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def one_thread_in_workers() -> None:
    """Keep torch to one thread in a Spark worker: Spark runs a worker for each core."""
    if TaskContext.get() is not None:
        torch.set_num_threads(1)


def quiet() -> None:
    """Keep transformers' progress bars and hints off the terminal."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def _load(folder: Path) -> tuple[Any, Any]:
    """The tokenizer and the model of a folder. Raises UserError unless both are whole."""
    advice = "fetch it again, or set encoder.model to another"
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        model, info = AutoModel.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # files can be wrong in many ways, each with an error of another library
        raise UserError(f"the encoder {folder} does not load ({first_line(error)}): {advice}") from None
    # what is missing would be filled with random numbers, and unknown words read as one
    missing = sorted(name for name in info["missing_keys"] if "pooler" not in name.split("."))
    if missing:
        raise UserError(
            f"the encoder {folder} lacks {len(missing)} of its weights, {missing[0]} for one: {advice}, "
            "for it may be half of a model that also writes"
        )
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise UserError(f"the encoder {folder} has no vocabulary, e.g. no tokenizer.json: {advice}")
    return tokenizer, model


def _positions(model: Any) -> int:
    """How many tokens a model can tell the places of; RoBERTa's kind leaves out its table's first rows."""
    known = getattr(model.config, "max_position_embeddings", None)
    places = known if isinstance(known, int) and known > 0 else sys.maxsize
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return min(places, int(module.num_embeddings) - unused)
    return places


def _lines(text: str, most: int) -> list[str]:
    """Lines of a text that are not blank, in equal parts of at most so many words; of a blank text itself."""
    lines = []
    for words in filter(None, map(str.split, text.splitlines())):
        size = math.ceil(len(words) / math.ceil(len(words) / most))
        lines += [" ".join(words[i : i + size]) for i in range(0, len(words), size)]
    return lines or [text]
