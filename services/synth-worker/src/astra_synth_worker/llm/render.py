"""Prompts are files: ``prompts/<name>.md.j2``, strict about their variables, named by a hash of their text."""

import hashlib
from functools import cache
from typing import Any

from astra_proto.ids import canonical_json
from astra_proto.messages import SystemMessage, UserMessage
from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateNotFound, meta

from astra_synth_worker.llm.base import Prompt

_TEMPLATES = Environment(
    loader=PackageLoader("astra_synth_worker", "prompts"),
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=False,
)
_TEMPLATES.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": False}
_TEMPLATES.filters["json"] = canonical_json
# What an agent or a tool wrote cannot close the tags that it stands in.
_TEMPLATES.filters["fenced"] = lambda text: text.replace("</", "<\u200b/")


def render(prompt: Prompt) -> list[dict[str, Any]]:
    """The prompt as the ``messages`` of a chat request.

    The template is the system message when the conversation that follows begins with a user's message, as an agent's
    does; else it is the user's message itself, and what follows is talk about the reply.
    """
    text = _TEMPLATES.get_template(f"{prompt.name}.md.j2").render(prompt.variables).strip()
    of_agent = bool(prompt.messages) and prompt.messages[0].role == "user"
    first = SystemMessage(content=text) if of_agent else UserMessage(content=text)
    return [message.model_dump(mode="json", exclude_none=True) for message in (first, *prompt.messages)]


@cache
def template_hash(name: str) -> str:
    """The first 16 hex digits of the SHA-256 of a template and of every template it includes."""
    texts, waiting = {}, [f"{name}.md.j2"]
    loader = _TEMPLATES.loader
    assert loader is not None
    while waiting:
        template = waiting.pop()
        if template not in texts:
            try:
                texts[template] = loader.get_source(_TEMPLATES, template)[0]
            except TemplateNotFound:
                raise LookupError(f"there is no prompt template {template!r} among the package's prompts") from None
            found = meta.find_referenced_templates(_TEMPLATES.parse(texts[template]))
            waiting += [referenced for referenced in found if referenced]
    return hashlib.sha256(canonical_json(texts).encode()).hexdigest()[:16]
