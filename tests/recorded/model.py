"""The recorded model as an endpoint that damages a share of its replies."""

import hashlib
import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from typing import Any

from astra_proto.ids import canonical_json
from astra_synth_worker.llm.cassette import Line, read

from tests.recorded.tapes import tape

NAME = "bridge"
_EARLIER = re.compile(r"\n+[^\n]+\n<refused>\n.*</refused>\n<why>\n.*</why>\n", re.S)
"""What a prompt for another try says beyond the first one."""


def damaged(content: str, rng: random.Random) -> str:
    """A reply cut off, emptied, with figures changed, a field lost, a verdict turned, or a refusal in its place."""
    match rng.randrange(6):
        case 0:
            return content[: len(content) // 2]
        case 1:
            return ""
        case 2:
            return "".join(str((int(c) + 1) % 10) if c.isdigit() and rng.random() < 0.3 else c for c in content)
        case 3:
            value = json.loads(content)
            value.pop(rng.choice(sorted(value)))
            return json.dumps(value)
        case 4:
            return content.replace("true", "false", 1) if "true" in content else content.replace("e", "a")
        case _:
            return '{"thought": "I would rather not."}'


class Unreliable:
    """The model of some recordings. Asked for another try it says what it said, damaged as often as before; asked about
    what it never saw, it fails."""

    def __init__(self, names: Sequence[str], share: float, seed: int) -> None:
        self._tape = {key: line for name in names for key, line in read(tape(name)).items()}
        self._share, self._seed = share, seed
        self._asked: Counter[str] = Counter()
        self.replies = self.hit = 0

    def reply(self, body: dict[str, Any]) -> tuple[Line, str] | None:
        """What is on the tape, and what is said of it this time."""
        key = next((key for key in self._keys(body) if key in self._tape), None)
        if key is None:
            return None
        self._asked[key] += 1
        self.replies += 1
        rng = random.Random(f"{self._seed}/{key}/{self._asked[key]}")
        line = self._tape[key]
        content = line.content or ""
        if rng.random() >= self._share:
            return line, content
        self.hit += 1
        return line, damaged(content, rng)

    def _keys(self, body: dict[str, Any]) -> Iterator[str]:
        """Those of the request, without what makes it a later try."""
        for blank, later, number in product("12", range(4), range(4)):
            text = _EARLIER.sub("\n" * int(blank), body["messages"][0]["content"])
            asked = {
                "model": body["model"],
                "messages": [{**body["messages"][0], "content": text}],
                "tools": [],
                "temperature": body["temperature"],
                "seed": body["seed"] - 1_000 * later - number,
            }
            yield hashlib.sha256(canonical_json(asked).encode()).hexdigest()


@contextmanager
def listening(model: Unreliable) -> Iterator[str]:
    """The address of an OpenAI-compatible endpoint at which the model answers, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"]))
            if not asked:  # who asked is dead
                return
            said = model.reply(json.loads(asked))
            told = {"error": {"message": "never asked"}} if said is None else _completion(*said)
            with suppress(ConnectionError):  # or died since
                self.send_response(400 if said is None else 200)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(told).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def _completion(line: Line, content: str) -> dict[str, Any]:
    """Tokens are those of the recording: of a damaged reply as if it were whole."""
    message = {"role": "assistant", "content": content}
    spent = {"prompt_tokens": line.prompt_tokens, "completion_tokens": line.completion_tokens}
    return {
        "choices": [{"index": 0, "message": message}],
        "usage": {**spent, "total_tokens": sum(spent.values())},
    }
