"""The order of the demo."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from astra_proto.errors import AstraError, Unavailable
from rich.status import Status

from astra import console
from astra.demo import report, training
from astra.demo.clients import Clients, open_clients
from astra.demo.plan import Plan
from astra.demo.story import Bar, Story
from astra.demo.synthesis import synthesize
from astra.embedded.lock import FolderLock
from astra.embedded.signals import cancel_on_signal
from astra.embedded.stack import Stack, StackError
from astra.endpoints import ClientSettings, find
from astra.services import Service

STEPS = 4
Addresses = Mapping[Service, tuple[str, str | None]]


async def demo(plan: Plan, settings: ClientSettings) -> report.Report:
    """All of it, on the services that run already or on some of its own."""
    began = time.monotonic()
    with cancel_on_signal():
        async with services(settings) as (addresses, stack), open_clients(addresses) as clients:
            work = asyncio.create_task(_road(plan, clients, began))
            watch = asyncio.create_task(stack.watch()) if stack else None
            try:
                await asyncio.wait({work, *([watch] if watch else [])}, return_when=asyncio.FIRST_COMPLETED)
                if stack and work.done() and isinstance(work.exception(), Unavailable):
                    await asyncio.sleep(1)  # the death of a service is the better explanation, if there was one
                if watch and watch.done():
                    watch.result()
                return work.result()
            finally:
                for task in filter(None, (work, watch)):
                    task.cancel()
                await asyncio.gather(*filter(None, (work, watch)), return_exceptions=True)


@asynccontextmanager
async def services(settings: ClientSettings) -> AsyncIterator[tuple[Addresses, Stack | None]]:
    """Where the services are: those that run, else a stack of our own for as long as it is needed."""
    if any(settings.url(service) for service in Service) or FolderLock.is_held(settings.data_dir):
        console.say("Using the services that are running.")
        yield {service: find(service, settings) for service in Service}, None
        return
    stack = Stack(settings.data_dir, token=settings.token())
    async with stack:
        with Status("Starting the services", console=console.err):
            await stack.wait_ready()
        console.say(f"Started the four services; their data and logs are in {stack.data_dir}.")
        try:
            yield {service: (url, stack.endpoints.token) for service, url in stack.endpoints.urls.items()}, stack
        except asyncio.CancelledError:
            console.say("\nEnding the services; what is done stays done.")
            raise


async def _road(plan: Plan, clients: Clients, began: float) -> report.Report:
    story = Story(STEPS)
    try:
        with story.step(
            "synthesis", "Real tool servers give trajectories, worlds of tables give arenas with code and answers."
        ) as bars:
            made = await synthesize(plan, clients, bars)
        with story.step(
            "sft", "Supervised fine-tuning on what was made: the model learns the form of tool calls."
        ) as bars:
            sft = await training.train(clients, plan.sft(), Bar(bars, "SFT", plan.sft_steps))
        with story.step(
            "rl", "Reinforcement learning: the model plays live environments and learns from their rewards."
        ) as bars:
            rl = await training.train(clients, plan.rl(sft.run.id), Bar(bars, "RL", plan.rl_steps))
        with story.step("evaluation", "Evaluation on held-out arenas that no policy has seen.") as bars:
            policies = {"base": training.BASE, "sft": sft.run.id, "rl": rl.run.id}
            results = await training.evaluate(plan, clients, policies, bars)
    except* (AstraError, StackError) as group:
        raise _first(group) from None
    return report.build(plan, made, sft, rl, results, story.timings, time.monotonic() - began)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
