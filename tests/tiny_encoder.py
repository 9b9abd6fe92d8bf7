"""A BERT of two small layers with random weights, for tests that need any encoder."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

HAPPY, SAD = ("sun", "dance", "smile", "party"), ("rain", "tears", "lonely", "cold")
NEUTRAL = ("road", "home", "river", "night", "song", "train", "city", "window")
WIDTH = 32


def write_tiny_encoder(folder: Path, pooler: bool = True) -> Path:
    """Write the encoder and its tokenizer to a folder. Its vocabulary are the words above."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *HAPPY, *SAD, *NEUTRAL]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,  # with the usual 0.02 untrained words are all alike
    )
    model = BertModel(config)
    if not pooler:
        model.pooler = None
    model.save_pretrained(folder)
    return folder
