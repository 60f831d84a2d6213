"""Asks the tool registry for distractors, and lets through what is fit to stand beside an arena's tools."""

import structlog
from astra_proto.distractors import Band, BandCounts, Distractor, DrawDistractors, DrawnDistractors
from astra_proto.errors import AstraError, Invalid, Unavailable, UpstreamFailed
from astra_proto.ids import canonical_json
from astra_service.client import ApiClient

from astra_env_server.arenas.playable import Playable
from astra_env_server.gate.leakage import tells_an_answer
from astra_env_server.gate.schemas import schema_fault

log = structlog.get_logger()

_ROUNDS = 4


class Distractors:
    """Where envs get theirs. Without a registry there are none to be had."""

    def __init__(self, registry: ApiClient | None) -> None:
        self._registry = registry

    async def draw(self, arena: Playable, wanted: BandCounts, seed: int) -> list[Distractor]:
        """As many of each band as were asked for, or as the registry has. Raises Invalid, Unavailable, UpstreamFailed.

        What tells an answer, or cannot be called because its schema is none we check arguments with, is left out and
        another is drawn in its place.
        """
        if wanted.total == 0:
            return []
        if self._registry is None:
            raise Invalid(
                "body.distractors: this server knows no tool registry to draw from: set "
                "ASTRA_ENV_SERVER_TOOL_REGISTRY_URL, or leave the field out"
            )
        kept: dict[Band, list[Distractor]] = {band: [] for band in Band}
        taken: list[str] = []
        for _ in range(_ROUNDS):
            missing = BandCounts(**{band.value: getattr(wanted, band.value) - len(kept[band]) for band in Band})
            if missing.total == 0:
                break
            names = {tool.function.name.casefold() for tool in arena.tools} | {name.casefold() for name in taken}
            request = DrawDistractors(
                tools=[tool.function for tool in arena.tools],
                domain=arena.spec.domain,
                counts=missing,
                seed=seed,
                taken=taken,
            )
            found = await self._ask(self._registry, request)
            if not found:
                break
            for each in found:
                if each.name.casefold() in names or len(kept[each.band]) >= getattr(wanted, each.band.value):
                    raise UpstreamFailed(f"the tool registry drew {each.name!r}, which was not to be drawn")
                names.add(each.name.casefold())
                taken.append(each.name)
                if each.function.name == each.name and _is_fit(arena, each):
                    kept[each.band].append(each)
                else:
                    log.info("distractor.left_out", arena_id=arena.id, tool=each.name, server_id=each.server_id)
        return [each for band in Band for each in sorted(kept[band], key=lambda each: each.name)]

    async def _ask(self, registry: ApiClient, request: DrawDistractors) -> list[Distractor]:
        try:
            return (await registry.post("/distractors", request, DrawnDistractors, repeatable=True)).distractors
        except Unavailable as error:
            raise Unavailable(f"the tool registry does not answer: {error}") from error
        except AstraError as error:
            raise UpstreamFailed(f"the tool registry drew no distractors: {error}") from error


def _is_fit(arena: Playable, drawn: Distractor) -> bool:
    return schema_fault(canonical_json(drawn.function.parameters)) is None and not tells_an_answer(
        arena.spec, drawn.function
    )
