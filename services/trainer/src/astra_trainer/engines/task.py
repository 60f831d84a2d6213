"""What an engine process is told, and the files by which it answers. No engine is imported here.

An engine is started as ``python -m astra_trainer.engines.<name> FOLDER``. It reads ``task.json`` and the data beside
it, appends to ``metrics.jsonl``, keeps ``progress.json`` up to date, and leaves ``policy/`` or ``result.json``. Started
again on the same folder it goes on from its last checkpoint. Told to stop by SIGTERM it saves and exits with 143.
"""

from pathlib import Path

from astra_proto.base import Record
from astra_proto.runs import CreateEvaluation, RunConfig

TASK = "task.json"
METRICS = "metrics.jsonl"
PROGRESS = "progress.json"
POLICY = "policy"
RESULT = "result.json"
MANIFEST = "manifest.json"
SFT_DATA = "sft.jsonl"
RL_DATA = "rl.jsonl"


class EngineTask(Record):
    """One run or one evaluation."""

    id: str
    work: RunConfig | CreateEvaluation
    base: Path | None
    """The policy to start from, or to evaluate; null for one from scratch."""
    env_server_url: str


class Progress(Record):
    """How far the engine is."""

    step: int
    total_steps: int | None
