"""One Client for many threads; what stays behind when threads, clients and programs end."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.client.scripted_server import Reply
from triptych import AsyncClient, Client, DeadlineExceeded, TriptychError

DESCRIPTORS = Path("/proc/self/fd")


def test_many_threads_share_one_client(url, script):
    script.replies += [Reply(delay=0.05)] * 16
    with Client(url) as client, ThreadPoolExecutor(16) as pool:
        lengths = list(pool.map(lambda n: client.embed_image(b"x" * n)[0], range(1, 200)))
    assert lengths == list(range(1, 200))
    assert script.most_busy > 4


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts /proc/self/fd")
def test_threads_that_come_and_go_leave_nothing_behind(url):
    with Client(url) as client:
        client.embed_text("warm")
        before = len(list(DESCRIPTORS.iterdir()))
        for _ in range(40):
            thread = threading.Thread(target=client.embed_text, args=("x",))
            thread.start()
            thread.join()
        assert len(list(DESCRIPTORS.iterdir())) - before < 10


def test_closing_breaks_off_what_is_under_way(url, script):
    script.replies += [Reply(delay=3)]
    client = Client(url)
    errors = []

    def ask() -> None:
        try:
            client.embed_text("slow")
        except TriptychError as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    while not script.seen:
        time.sleep(0.01)
    start = time.monotonic()
    client.close()
    thread.join()
    assert errors == ["this client is closed"]
    assert time.monotonic() - start < 2


def test_a_closed_client_says_so(url):
    client = Client(url)
    client.embed_text("x")
    client.close()
    client.close()
    with pytest.raises(TriptychError, match="this client is closed"):
        client.embed_text("x")


async def test_a_closed_async_client_says_so(url, script):
    script.replies += [Reply(), Reply(delay=3)]
    client = AsyncClient(url)
    await client.embed_text("x")
    slow = asyncio.create_task(client.embed_text("slow"))
    while len(script.seen) < 2:
        await asyncio.sleep(0.01)
    await client.close()
    for question in (slow, client.embed_text("x")):
        with pytest.raises(TriptychError, match="this client is closed"):
            await question


def test_a_forgotten_client_ends_its_thread():
    client = Client("http://127.0.0.1:9")
    assert "triptych-http" in {thread.name for thread in threading.enumerate()}
    del client
    gc.collect()
    assert "triptych-http" not in {thread.name for thread in threading.enumerate()}


def test_a_deadline_leaves_the_connection_usable(url, script):
    script.replies += [Reply(delay=0.5)]
    with Client(url) as client:
        with pytest.raises(DeadlineExceeded):
            client.embed_text("slow", timeout=0.1)
        assert client.embed_text("abc")[0] == 3


@pytest.mark.parametrize("ending", ["", "raise KeyboardInterrupt", "client.close()"])
def test_a_program_ends_at_once_and_quietly(url, script, ending):
    script.replies += [Reply(), Reply(delay=1.0)]
    program = f"""
        import sys
        from triptych import Client
        client = Client({url!r})
        client.embed_text("x")
        try:
            for pair in client.embed_images(b"%d" % n for n in range(100)):
                break
            {ending or "pass"}
        except KeyboardInterrupt:
            pass
    """
    start = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert time.monotonic() - start < 15
    assert len(script.seen) < 60
