"""TRL's GRPOTrainer, as PyPI has it, plays our envs by its ``environment_factory``.

Its model is real and tiny; what it says is written out, so that it is TRL's own loop that finds the calls, makes them,
feeds back what they give, asks for the reward and takes a gradient step.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from .conftest import Running

torch = pytest.importorskip("torch", reason="torch is not installed: TRL goes UNTESTED")
trl = pytest.importorskip("trl", reason="trl is not installed: it goes UNTESTED")

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def tokenizer() -> Any:
    """One token a byte, with the chat template of Qwen 3, which TRL knows how to read calls from."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast
    from trl.chat_template_utils import qwen3_chat_template

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=qwen3_chat_template
    )


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def say(seen: str, number: int) -> str:
    """What the model says next: every other one makes a mistake, so that the group has something to learn from."""
    answers = seen.split("<tool_response>")[1:]
    if not answers:
        return call("find_overdue_loan", member_id="M-2041" if number % 2 else "nobody")
    if "days_late" in answers[-1] and "fine_eur" not in answers[-1]:
        return call("compute_late_fine", days_late=12, membership="standard")
    return "That is all."


def policy(words: Any) -> Any:
    """A Qwen 3 of one layer that says what is written for it."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    class Scripted(Qwen3ForCausalLM):  # type: ignore[misc]
        def generate(self, input_ids: Any, **_: Any) -> Any:
            texts = words.batch_decode(input_ids)
            ids = [words(say(text, n) + "<|im_end|>")["input_ids"] for n, text in enumerate(texts)]
            longest = max(map(len, ids))
            said = [one + [words.pad_token_id] * (longest - len(one)) for one in ids]
            return torch.cat([input_ids, torch.tensor(said, dtype=input_ids.dtype)], dim=1)

    torch.manual_seed(0)
    return Scripted(
        Qwen3Config(
            vocab_size=len(words), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, head_dim=16, max_position_embeddings=8192,
            eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
        )
    )  # fmt: skip


def test_its_trainer_learns_from_an_env(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    monkeypatch.chdir(tmp_path)
    url = f"{running.ws}/arenas/{running.arena_id}/ws"
    before = running.live()
    opened: list[Any] = []
    sockets = ExitStack()
    earned: list[float] = []

    class Library:
        """An env of the arena: TRL shows its public methods to the model as tools."""

        def __init__(self) -> None:
            self._socket = sockets.enter_context(connect(url, compression=None))
            self._reward = 0.0
            opened.append(self._socket)

        def reset(self, **_row: Any) -> str:
            self._reward = 0.0
            first = self._ask({"type": "reset", "data": {"seed": 1}})
            return f"\n{first['observation']['messages'][0]['content']}"

        def find_overdue_loan(self, member_id: str) -> str:
            """
            Find the overdue loan of a member.

            Args:
                member_id: Number of the member.
            """
            return self._call("find_overdue_loan", member_id=member_id)

        def compute_late_fine(self, days_late: int, membership: str) -> str:
            """
            Compute a fine.

            Args:
                days_late: Days past the date.
                membership: Kind of membership.
            """
            return self._call("compute_late_fine", days_late=days_late, membership=membership)

        def get_reward(self) -> float:
            earned.append(self._reward)
            return self._reward

        def _call(self, name: str, **arguments: Any) -> str:
            given = self._ask(
                {"type": "step", "data": {"type": "call_tool", "tool_name": name, "arguments": arguments}}
            )
            self._reward += given["reward"]
            seen = given["observation"]
            return str(seen["result"] if seen["error"] is None else seen["error"]["message"])

        def _ask(self, frame: dict[str, Any]) -> dict[str, Any]:
            self._socket.send(json.dumps(frame))
            answer = json.loads(self._socket.recv())
            assert answer["type"] == "observation", answer
            found: dict[str, Any] = answer["data"]
            return found

    words = tokenizer()
    trainer = GRPOTrainer(
        model=policy(words),
        processing_class=words,
        train_dataset=Dataset.from_list([{"prompt": [{"role": "user", "content": "Help me."}]}] * 4),
        environment_factory=Library,
        args=GRPOConfig(
            output_dir=str(tmp_path), use_cpu=True, bf16=False, max_steps=2, num_generations=2,
            per_device_train_batch_size=2, max_completion_length=1024, max_tool_calling_iterations=4,
            beta=0.0, learning_rate=1e-3, logging_steps=1, report_to=[], save_strategy="no",
        ),
    )  # fmt: skip
    trainer.train()
    assert sorted(set(earned)) == pytest.approx([0.0, 1.0]), "one found the loan, the other asked for nobody's"
    logged = [line for line in trainer.state.log_history if "reward" in line]
    assert [line["reward"] for line in logged] == pytest.approx([0.5, 0.5])
    assert all(line["grad_norm"] > 0 for line in logged)
    assert len(opened) == 2, "one for each of the group, again and again"
    sockets.close()  # TRL has no word for the end; a connection has
    running.settle(before)
