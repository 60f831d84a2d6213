"""Which model the settings name."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from astra_synth_worker.llm.base import LLM
from astra_synth_worker.llm.cassette import Player, Recorder
from astra_synth_worker.settings import Settings
from astra_synth_worker.teacher.offline import HANDLERS as ARENA_HANDLERS
from astra_synth_worker.teacher.offline import OfflineTeacher
from astra_synth_worker.trajectories.offline import HANDLERS as TRAJECTORY_HANDLERS


@asynccontextmanager
async def open_llm(settings: Settings) -> AsyncIterator[LLM]:
    """The model, as long as the block lasts. A setting that is missing ends the start with a sentence."""
    if settings.cassette_mode != "off" and settings.cassette is None:
        raise SystemExit(f"CASSETTE_MODE is {settings.cassette_mode!r}: give the file in CASSETTE")
    if settings.cassette_mode == "replay":
        assert settings.cassette is not None
        yield Player(settings.cassette, settings.llm_model or None)
        return
    async with AsyncExitStack() as stack:
        llm: LLM
        if settings.llm == "offline":
            llm = OfflineTeacher({**ARENA_HANDLERS, **TRAJECTORY_HANDLERS})
        elif not settings.llm_model:
            raise SystemExit("LLM is 'openai': give the model's name in LLM_MODEL")
        else:
            # The SDK takes longer to import than all else together, and most starts do without it.
            from astra_synth_worker.llm.openai import OpenAIModel

            llm = await stack.enter_async_context(OpenAIModel.open(settings))
        if settings.cassette_mode == "record":
            assert settings.cassette is not None
            llm = stack.enter_context(Recorder(llm, settings.cassette))
        yield llm
