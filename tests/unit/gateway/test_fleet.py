"""Where requests go: the Tritons are scripted servers (tests/unit/client/scripted_server.py), for real ones do not fail when told to."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.unit.client.scripted_server import Reply, Script, grpc_server
from triptych.errors import InvalidInput, ModelLost, Overloaded
from triptych.gateway.body import until_gone
from triptych.gateway.fleet import Fleet, Models
from triptych.gateway.refusals import Gone, NotReady, NotServed

CLIP = Models(clip="ViT-B-32__openai")
WARM = 4  # requests of the warm-up


def script(clip="immich-app/ViT-B-32__openai", faces="immich-app/buffalo_l"):
    return Script(parameters={"clip_model": clip, "face_model": faces})


@asynccontextmanager
async def fleet(*scripts, **options):
    """In front of scripted servers, all of them warm."""
    async with AsyncExitStack() as stack:
        urls = [f"grpc://{stack.enter_context(grpc_server(each))}" for each in scripts]
        made = Fleet(urls, names=options.pop("names", {}), timeout=10, **options)
        await stack.enter_async_context(made.running())
        async with asyncio.timeout(10):
            while len(made.ready) < len(scripts):
                await asyncio.sleep(0.01)
        yield made


async def text(fleet, models=CLIP):
    return await fleet.ask(models, lambda client: client.embed_text("dogs"))


def asked(script):
    return len(script.seen) - WARM


async def test_the_one_with_the_least_pending_is_asked():
    one, other = script(), script()
    async with fleet(one, other) as both:
        one.replies = [Reply(delay=1.5)]
        slow = asyncio.create_task(text(both))
        while asked(one) < 1:
            await asyncio.sleep(0.01)
        for _ in range(3):
            await text(both)
        assert [backend.pending for backend in both.backends] == [1, 0]
        await slow
        assert (asked(one), asked(other)) == (1, 3)


@pytest.mark.parametrize("message", ["Exceeds maximum queue size", "failed to connect to all addresses; last error: Connection reset"])
async def test_what_was_turned_away_or_lost_is_asked_elsewhere(message):
    one, other, lost = script(), script(), []
    async with fleet(one, other, lost=lost.append) as both:
        one.replies = [Reply("UNAVAILABLE", message)]
        await text(both)
        assert (asked(one), asked(other)) == (1, 1)
        assert lost == [both.backends[0].url]
        assert (both.backends[0].served is None) == ("connect" in message)


async def test_a_server_whose_model_is_gone_is_no_black_hole():
    """It has the least pending, for it answers fastest."""
    one, other = script(), script()
    async with fleet(one, other) as both:
        for _ in range(3):
            one.replies = [Reply("NOT_FOUND", "Request for unknown model: 'search_text' has no available versions")]
            await text(both)
        assert asked(other) == 3


async def test_a_server_whose_idle_models_come_and_go_stays_in_use():
    """Triton is not ready meanwhile; the scripted server has a config for any model, `on_demand` too. Nothing is warmed up again."""
    one = script()
    async with fleet(one) as alone:
        one.ready = False
        await alone.backends[0].look()
        await text(alone)
        assert asked(one) == 1


async def test_a_caller_who_hangs_up_breaks_nothing_off_at_triton():
    one = script()
    async with fleet(one) as alone:
        one.replies = [Reply(delay=0.5)]
        request = asyncio.create_task(text(alone))
        while one.replies or not alone.backends[0].pending:
            await asyncio.sleep(0.01)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert (one.busy, alone.backends[0].pending) == (0, 0)  # it has been answered


async def test_overload_everywhere_is_told_at_once_and_bad_input_asked_once():
    one, other = script(), script()
    async with fleet(one, other) as both:
        one.replies = other.replies = [
            Reply("UNAVAILABLE", "Exceeds maximum queue size"),
            Reply("UNAVAILABLE", "Exceeds maximum queue size"),
        ]
        with pytest.raises(Overloaded):
            await text(both)
        one.replies = [Reply("INVALID_ARGUMENT", "The image is empty")]
        with pytest.raises(InvalidInput, match="empty"):
            await text(both)
        assert (asked(one), asked(other)) == (2, 1)


async def test_requests_go_where_their_model_is():
    one, other = script(), script(clip="immich-app/ViT-B-16__openai", faces="")
    async with fleet(one, other, names={"faces": "buffalo_m"}) as both:
        await text(both, Models(clip="ViT-B-16::openai"))
        await both.ask(Models(faces="buffalo_m"), lambda client: client.faces(b"picture"))
        assert (asked(one), asked(other)) == (0, 2)
        with pytest.raises(NotServed, match=r"RN50__openai.*ViT-B-32__openai' and 'immich-app/ViT-B-16__openai'.*models use RN50__openai"):
            await text(both, Models(clip="RN50__openai"))


async def test_a_change_of_models_is_seen():
    one = script()
    async with fleet(one) as alone:
        await text(alone)
        one.parameters = {**one.parameters, "clip_model": "immich-app/RN50__openai"}
        async with asyncio.timeout(30):
            while (served := alone.backends[0].served) is None or served.clip != "immich-app/RN50__openai":
                await asyncio.sleep(0.01)
        await text(alone, Models(clip="RN50__openai"))
        with pytest.raises(NotServed, match=r"Served is 'immich-app/RN50__openai'"):
            await text(alone)


async def test_a_model_without_a_name_is_told_as_such():
    async with fleet(script(clip="")) as alone:
        with pytest.raises(NotServed, match="imported without a name.*--clip-name"):
            await text(alone)


async def test_nobody_is_ready(free_port):
    alone = Fleet([f"grpc://127.0.0.1:{free_port}"], names={}, timeout=5)
    async with alone.running():
        await asyncio.sleep(0.3)
        with pytest.raises(NotReady, match=f"127.0.0.1:{free_port}"):
            await text(alone)


DIED = "Stub process 'clip_textual_0_0' is not healthy."


async def test_what_died_with_a_process_is_asked_again_once_the_only_triton_is_healed():
    one = script()
    async with fleet(one) as only:
        one.replies = [Reply("INTERNAL", DIED)]
        await text(only)
        assert asked(one) == 1 + WARM + 1


async def test_what_kills_a_process_again_is_told():
    one = script()
    async with fleet(one) as only:
        one.replies = [Reply("INTERNAL", DIED), *[Reply()] * WARM, Reply("INTERNAL", DIED)]
        with pytest.raises(ModelLost, match="not healthy"):
            await text(only)
        assert asked(one) == 1 + WARM + 1


async def test_what_is_not_answered_by_a_triton_that_was_healed_meanwhile_is_asked_again(monkeypatch):
    """The request waited in a process that died: nobody answers it, and its time limit is far."""
    monkeypatch.setattr("triptych.gateway.backend.LATE_SECONDS", 0.1)
    one = script()
    async with fleet(one) as only:
        one.replies = [Reply(delay=9)]
        asking = asyncio.create_task(text(only))
        while asked(one) < 1:
            await asyncio.sleep(0.01)
        only.backends[0].lost("its models are not ready")
        await asking
        assert asked(one) == 1 + WARM + 1


async def test_who_hangs_up_while_a_triton_is_healed_is_gone_and_asks_nobody_again(monkeypatch):
    """Two limits end the same wait: the caller's, who is gone, and that of a request which a process took with it."""
    monkeypatch.setattr("triptych.gateway.backend.LATE_SECONDS", 0.1)
    one, gone = script(), asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async with fleet(one) as only:
        one.replies = [Reply(delay=9)]
        asking = asyncio.create_task(until_gone(receive, text(only)))
        while asked(one) < 1:
            await asyncio.sleep(0.01)
        gone.set()
        await asyncio.sleep(0.01)
        assert only.backends[0].pending == 1  # nothing was broken off
        only.backends[0].lost("its models are not ready")
        with pytest.raises(Gone):
            await asking
        assert (asked(one), only.backends[0].pending) == (1 + WARM, 0)


async def test_the_end_of_the_program_is_no_hanging_up():
    """Who is cancelled from outside is cancelled, whatever limits stand around."""
    one = script()
    async with fleet(one) as only:
        one.replies = [Reply(delay=0.5)]
        asking = asyncio.create_task(until_gone(asyncio.Event().wait, text(only)))
        while asked(one) < 1:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert only.backends[0].pending == 0
