"""An MCP server by hand, with one bad habit: `rogue.py HABIT TAG`; the tag is there to find it by."""

import json
import os
import signal
import subprocess
import sys
import time

HABIT = sys.argv[1]
OBJECT = {"type": "object", "properties": {"text": {"type": "string"}}}


def tool(name: str, description: str, schema: object = OBJECT) -> dict[str, object]:
    return {"name": name, "description": description, "inputSchema": schema}


def having(parameter: object) -> dict[str, object]:
    return {"type": "object", "properties": {"a": parameter}}


GOOD = tool("echo", "Say the same text again.")

LISTS = {
    "many": [tool(f"tool_{i}", f"Say text number {i}.") for i in range(10_000)],
    "no_list": {"echo": GOOD},
    "malformed": [
        GOOD,
        GOOD,
        GOOD | {"name": "twin"},
        "no object",
        {"description": "It has no name at all.", "inputSchema": OBJECT},
        tool("two words", "A name with a space."),
        tool("silent", ""),
        tool("get_user", "Get the user."),
        tool("listed", "Its schema is a list.", []),
        tool("texty", "Its schema describes a text.", {"type": "string"}),
        tool("either", "Its schema is a choice.", {"anyOf": [OBJECT, OBJECT]}),
        tool("lost", "Refers to nothing.", having({"$ref": "#/$defs/b"})),
        tool("away", "Refers elsewhere.", having({"$ref": "file:///etc/passwd"})),
        tool("untrue", "No valid schema.", having({"type": "lie"})),
        tool("wants", "Requires the unknown.", {"type": "object", "required": ["a"]}),
        tool("endless", "A number that is none.", having({"default": float("nan")})),
        tool("nul", "A default of NUL.", having({"default": "\0"})),
        tool("vast", "A schema too large.", having({"description": "x" * 100_000})),
    ],
}

PARTS = [
    {"type": "text", "text": "first\0"},
    {"type": "image", "data": "aGk=", "mimeType": "image/png"},
    {"type": "resource_link", "uri": "file:///a", "name": "a"},
    {"type": "resource", "resource": {"uri": "file:///b", "text": "embedded"}},
    {"type": "hologram"},
    7,
]


def send(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def answer(method: str, request_id: int) -> None:
    if method == "initialize":
        if HABIT == "silent_start":
            time.sleep(600)
        about = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "rogue", "version": "1"},
        }
        send({"jsonrpc": "2.0", "id": request_id, "result": about if HABIT != "odd_start" else {"hello": 1}})
    elif method == "tools/list":
        page: dict[str, object] = {"tools": LISTS.get(HABIT, [GOOD])}
        if HABIT == "endless_list":
            page = {"tools": [], "nextCursor": "again"}
        if HABIT == "list_dies":
            sys.stderr.write("out of paper\n")
            sys.exit(4)
        send({"jsonrpc": "2.0", "id": request_id, "result": page})
    else:
        call(request_id)


def call(request_id: int) -> None:
    result: dict[str, object] = {"content": [{"type": "text", "text": "hello"}]}
    if HABIT == "call_dies":
        sys.stderr.write("I cannot go on\n")
        sys.exit(3)
    if HABIT == "call_hangs":
        time.sleep(600)
    if HABIT == "huge":
        result = {"content": [{"type": "text", "text": "x" * 50_000_000}]}
    if HABIT == "large":
        result = {"content": [{"type": "text", "text": "x" * 200_000}]}
    if HABIT == "parts":
        result = {"content": PARTS}
    if HABIT == "odd_result":
        result = {"content": 5, "isError": "no", "structuredContent": {"a": 1}}
    if HABIT == "refuses":
        send({"jsonrpc": "2.0", "id": request_id, "error": {"code": -32602, "message": "wrong arguments"}})
        return
    if HABIT == "fails":
        send({"jsonrpc": "2.0", "id": request_id, "error": {"code": -32603, "message": "it broke"}})
        return
    send({"jsonrpc": "2.0", "id": request_id, "result": result})


def main() -> None:
    if HABIT == "dies":
        sys.stderr.write("no licence found\n")
        sys.exit(7)
    if HABIT == "junk":
        while True:
            print("starting up, please wait")
            sys.stdout.flush()
            time.sleep(0.01)
    if HABIT == "endless_line":
        while True:
            sys.stdout.write("x" * 65_536)
    if HABIT == "chatty":
        print("loading\nlogging\n{}\n[1]\nnull")
    if HABIT == "stubborn":  # ignores every polite request, detaches a child that does too
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[2]], start_new_session=True)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            time.sleep(600)
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            answer(request["method"], request["id"])
    if HABIT == "stubborn":
        time.sleep(600)


main()
