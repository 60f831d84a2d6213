"""The policy: a small causal model and the tokenizer that goes with it, in one folder."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from astra_trainer.rollout.render import MARKERS, PAD, TURN_END

_KEYWORDS = "name|description|parameters|type|object|properties|required|string|integer|number|boolean|arguments"
PIECES = rf"""[a-z]+(?:_[a-z0-9]+)+| ?[a-z]+|[A-Z]?[a-z]+|[A-Z]+|[0-9]{{1,3}}|(?:"(?:{_KEYWORDS})"|[^A-Za-z0-9])+"""
"""What tokens may not reach across.

Names, codes and numbers have the same tokens in a question as in an argument, so that copying one is copying tokens.
Identifiers and the JSON around them are pieces of their own, which makes most of a tool's schema a few tokens.
"""


class Vocabulary:
    """Text to token ids and back, exactly: nothing is added, stripped or cleaned up."""

    def __init__(self, fast: PreTrainedTokenizerFast) -> None:
        self.fast = fast
        self._raw: Tokenizer = fast.backend_tokenizer
        self.pad_id: int = self._raw.token_to_id(PAD)
        self.end_id: int = self._raw.token_to_id(TURN_END)

    def __len__(self) -> int:
        return len(self.fast)

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``."""
        ids: list[int] = self._raw.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``, markers included."""
        text: str = self._raw.decode(list(ids), skip_special_tokens=False)
        return text


def train_vocabulary(texts: Iterable[str], size: int) -> Vocabulary:
    """A byte-level BPE of ``size`` tokens over ``texts``; every marker of the chat format is one token."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(MARKERS), initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    return Vocabulary(
        PreTrainedTokenizerFast(
            tokenizer_object=raw, pad_token=PAD, eos_token=TURN_END, clean_up_tokenization_spaces=False
        )
    )


def new_model(vocabulary: Vocabulary, seed: int, *, width: int, layers: int, context: int) -> Qwen3ForCausalLM:
    """An untrained model of the Qwen3 architecture. Heads are 32 wide: vLLM serves nothing narrower."""
    torch.manual_seed(seed)
    random.seed(seed)
    config = Qwen3Config(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=width * 8 // 3 // 16 * 16,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=max(1, width // 96),
        head_dim=32,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=vocabulary.end_id,
        pad_token_id=vocabulary.pad_id,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    config._attn_implementation = "sdpa"
    return Qwen3ForCausalLM(config)


def save_policy(folder: Path, model: torch.nn.Module, vocabulary: Vocabulary) -> None:
    """Write model and tokenizer, whole or not at all: a reader never sees half a policy."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(folder.name + ".draft")
    model.save_pretrained(draft)
    vocabulary.fast.save_pretrained(draft)
    draft.rename(folder)


def load_policy(folder: Path) -> tuple[torch.nn.Module, Vocabulary]:
    """The policy in ``folder``, in 32-bit floats."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return model, load_vocabulary(folder)


def load_vocabulary(folder: Path) -> Vocabulary:
    """The tokenizer in ``folder``."""
    return Vocabulary(PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True))
