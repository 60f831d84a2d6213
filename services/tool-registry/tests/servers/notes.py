"""A well-behaved MCP server made with the official SDK: notes that are added, listed, read and deleted."""

import os
import sys
import time
from pathlib import Path

from mcp.server import MCPServer
from pydantic import BaseModel

server = MCPServer("notes")
notes: dict[str, str] = {}


class Note(BaseModel):
    note_id: str
    text: str


@server.tool()
def create_note(text: str) -> Note:
    """Write a note down and say under which id it can be found."""
    notes[f"n{len(notes) + 1}"] = text
    return Note(note_id=f"n{len(notes)}", text=text)


@server.tool()
def get_note(note_id: str) -> Note:
    """Give the text of a note that was written down earlier."""
    return Note(note_id=note_id, text=notes[note_id])


@server.tool()
def delete_note(note_id: str) -> str:
    """Throw a note away for good."""
    return f"deleted {notes.pop(note_id)}"


@server.tool()
def look_around() -> str:
    """Tell in which folder and with which environment the server runs."""
    here = sorted(p.name for p in Path.cwd().iterdir() if not p.name.startswith("."))
    return f"pid={os.getpid()} cwd={Path.cwd()} files={here} env={sorted(os.environ)} argv={sys.argv[1:]}"


@server.tool()
def sleep_for(seconds: float) -> str:
    """Do nothing for a while, then answer."""
    time.sleep(seconds)
    return "awake"


server.run()
