"""The ceiling: what FastAPI can do at best when it keeps sessions in a dict, runs no tool and stores nothing.

Its replies have the shape and the size of the env server's, so that both pay the same for JSON and for sockets.
"""

import uuid
from typing import Any

from fastapi import FastAPI

app = FastAPI()
sessions: dict[str, int] = {}

PROMPT = "At which store is the item with the best rating kept, of those that the supplier Arrow sells? " * 3
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "Best-rated item of a supplier.",
            "parameters": {
                "type": "object",
                "properties": {"supplier": {"type": "string", "description": "Name of the supplier, as written."}},
                "required": ["supplier"],
                "additionalProperties": False,
            },
        },
    }
    for name in ("best_item", "store_of_item", "supplier_of_item", "price_of_item")
]


def _info(step: int) -> dict[str, Any]:
    return {
        "step_index": step,
        "subtasks": 4,
        "solved": [0, 1],
        "calls": step,
        "recall": 0.5,
        "precision": 0.5,
        "f1": 0.5,
        "error_class": None,
        "reward_valid": True,
        "reason": None,
    }


@app.post("/envs", status_code=201)
async def create_env(body: dict[str, Any]) -> dict[str, Any]:
    env_id = f"env_{uuid.uuid4().hex}"
    sessions[env_id] = 0
    return {"id": env_id, "arena_id": body["arena_id"]}


@app.post("/envs/{env_id}/reset")
async def reset(env_id: str, body: dict[str, Any]) -> dict[str, Any]:
    sessions[env_id] = 0
    message = {"role": "user", "content": PROMPT}
    return {"observation": {"messages": [message], "tools": TOOLS}, "info": _info(0)}


@app.post("/envs/{env_id}/step")
async def step(env_id: str, body: dict[str, Any]) -> dict[str, Any]:
    sessions[env_id] += 1
    call = body["action"]["tool_calls"][0]
    message = {"role": "tool", "tool_call_id": call["id"], "name": call["name"], "content": '{"item": "Shelf"}'}
    return {
        "observation": {"messages": [message], "tools": None},
        "reward": 0.0,
        "terminated": False,
        "truncated": False,
        "done": False,
        "info": _info(sessions[env_id]),
    }


@app.delete("/envs/{env_id}", status_code=204)
async def delete_env(env_id: str) -> None:
    sessions.pop(env_id, None)
