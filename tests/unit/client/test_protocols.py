"""The same request, whichever protocol and style carries it, and what becomes of every kind of failure."""

import socket
import time

import numpy as np
import pytest

from tests.unit.client.scripted_server import Reply, embedding_of
from triptych import (
    AccessDenied,
    DeadlineExceeded,
    InvalidInput,
    ModelLost,
    NotFound,
    Overloaded,
    RetryPolicy,
    ServerError,
    ServerUnreachable,
    TriptychError,
)

FAST = RetryPolicy(overloaded=4, unreachable=2, first_pause=0.01, longest_pause=0.02)
FULL = Reply("UNAVAILABLE", "in ensemble 'search_image', [request id: <id_unknown>] Exceeds maximum queue size")


def test_a_picture_goes_as_its_bytes_with_low_priority(ask, url, script):
    embedding = ask(url, {}, "embed_image", b"\xff\x00picture\x00", request_id="r-7", timeout=5)
    (seen,) = script.seen
    assert (seen.model, seen.inputs, seen.shapes) == ("search_image", {"image": [b"\xff\x00picture\x00"]}, {"image": [1, 1]})
    assert (seen.priority, seen.request_id, seen.outputs) == (2, "r-7", ["embedding"])
    assert 4_000_000 < seen.timeout_us <= 5_000_000
    assert embedding.dtype == np.float32
    assert np.array_equal(embedding, embedding_of(b"\xff\x00picture\x00"))
    embedding += 1  # the caller's own memory, not a view of a message


def test_a_text_goes_with_high_priority_and_its_language(ask, url, script):
    embedding = ask(url, {}, "embed_text", "Möwe", language="de")
    (seen,) = script.seen
    assert (seen.model, seen.inputs) == ("search_text", {"text": ["Möwe".encode()], "language": [b"de"]})
    assert seen.priority == 1
    assert embedding.shape == (4,)


def test_without_a_language_none_is_sent(ask, url, script):
    ask(url, {}, "embed_text", "gull")
    assert list(script.seen[0].inputs) == ["text"]


def test_texts_are_sent_in_batches_the_model_takes(ask, url, script):
    texts = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggggggg"]
    embeddings = ask(url, {}, "embed_text", texts, language="en")
    assert [len(seen.inputs["text"]) for seen in script.seen] == [3, 3, 1]
    assert [len(seen.inputs["language"]) for seen in script.seen] == [3, 3, 1]
    assert embeddings.shape == (7, 4)
    assert embeddings[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_a_sequence_of_one_text_is_still_a_matrix(ask, url):
    assert ask(url, {}, "embed_text", ["one"]).shape == (1, 4)


def test_headers_of_the_client_and_of_the_call_are_sent(ask, url, script):
    ask(url, {"headers": {"X-Tenant": "a", "X-Both": "client"}}, "embed_text", "x", headers={"x-both": "call", "X-Call": "c"})
    headers = script.seen[0].headers
    assert (headers["x-tenant"], headers["x-both"], headers["x-call"]) == ("a", "call", "c")


def test_models_can_be_named(ask, url, script):
    ask(url, {"image_model": "other_image", "text_model": "other_text"}, "embed_image", b"x")
    ask(url, {"image_model": "other_image", "text_model": "other_text"}, "embed_text", "x")
    assert [seen.model for seen in script.seen] == ["other_image", "other_text"]


def test_a_full_queue_is_asked_again(ask, url, script):
    script.replies += [FULL, FULL]
    embedding = ask(url, {"retry": FAST}, "embed_image", b"abc", request_id="same")
    assert np.array_equal(embedding, embedding_of(b"abc"))
    assert [seen.request_id for seen in script.seen] == ["same"] * 3
    assert script.seen[2].timeout_us < script.seen[0].timeout_us  # the deadline goes on


def test_a_request_whose_process_died_is_asked_again(ask, url, script):
    """In Triton's words, which it gives as an inner error: the model is loaded anew meanwhile."""
    script.replies += [Reply("INTERNAL", "Stub process 'x_0' is not healthy.")]
    assert np.array_equal(ask(url, {"retry": FAST}, "embed_image", b"abc"), embedding_of(b"abc"))
    assert len(script.seen) == 2
    script.replies += [Reply("INTERNAL", "in ensemble 'photo', Stub process 'x_0' is not healthy.")]
    with pytest.raises(ModelLost, match="^Stub process 'x_0' is not healthy.$"):
        ask(url, {"retry": RetryPolicy.never()}, "embed_image", b"abc")


def test_a_queue_that_stays_full_is_an_overload(ask, url, script):
    script.replies += [FULL] * 9
    with pytest.raises(Overloaded) as caught:
        ask(url, {"retry": FAST}, "embed_image", b"abc")
    assert str(caught.value) == "Exceeds maximum queue size"
    assert len(script.seen) == 4


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (Reply("INVALID_ARGUMENT", "in ensemble 'search_image', no picture: 3 bytes"), InvalidInput, "no picture: 3 bytes"),
        (Reply("NOT_FOUND", "Request for unknown model: 'x' is not found"), NotFound, "Request for unknown model: 'x' is not found"),
        (Reply("INTERNAL", "the graph is broken"), ServerError, "the graph is broken"),
        (
            Reply("UNAVAILABLE", "Request timeout expired"),
            DeadlineExceeded,
            "the request waited in the server's queue until its time was over",
        ),
        (
            Reply("UNAVAILABLE", "This protocol is restricted, expecting header 'k'"),
            AccessDenied,
            "This protocol is restricted, expecting header 'k'",
        ),
    ],
)
def test_other_failures_are_told_at_once(ask, url, script, reply, kind, text):
    script.replies += [reply]
    with pytest.raises(kind) as caught:
        ask(url, {"retry": FAST}, "embed_image", b"abc")
    assert str(caught.value) == text
    assert len(script.seen) == 1


def test_a_slow_server_meets_the_deadline(ask, url, script):
    script.replies += [Reply(delay=1.5)]
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        ask(url, {}, "embed_text", "x", timeout=0.2)
    assert time.monotonic() - start < 1.2


def test_nobody_listening_is_unreachable_well_before_the_deadline(ask, free_port, scheme):
    start = time.monotonic()
    with pytest.raises(ServerUnreachable, match=rf"127\.0\.0\.1:{free_port} \(Connection refused\)"):
        ask(f"{scheme}://127.0.0.1:{free_port}", {}, "embed_text", "x", timeout=10)
    assert time.monotonic() - start < 5


def test_the_other_protocols_port_is_unreachable(ask, url):
    other = url.replace("grpc:", "http:") if url.startswith("grpc") else url.replace("http:", "grpc:")
    with pytest.raises(ServerUnreachable, match="no Triton answers"):
        ask(other, {"retry": RetryPolicy.never()}, "embed_text", "x", timeout=5)


def test_a_name_that_does_not_resolve_is_unreachable(ask, scheme):
    with pytest.raises(ServerUnreachable, match=r"\((Domain name not found|.*not known|.*resolution.*)\)"):
        ask(f"{scheme}://no-such-host.invalid:8000", {"retry": RetryPolicy.never()}, "embed_text", "x", timeout=10)


def test_a_server_that_comes_back_is_found_again(ask, free_port, scheme, script):
    from threading import Thread

    from tests.unit.client import scripted_server

    outcome = []
    patient = RetryPolicy(unreachable=50, first_pause=0.1, longest_pause=0.1)
    url = f"{scheme}://127.0.0.1:{free_port}"
    thread = Thread(target=lambda: outcome.append(ask(url, {"retry": patient}, "embed_text", "late", timeout=15)))
    thread.start()
    time.sleep(0.3)
    serve = {"grpc": scripted_server.grpc_server, "http": scripted_server.http_server}[scheme]
    with serve(script, port=free_port):
        thread.join()
    assert np.array_equal(outcome[0], embedding_of(b"late"))


def test_another_web_server_is_not_taken_for_triton(ask):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        def answer() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<html>hi</ht")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(ServerUnreachable, match="another web server"):
            ask(f"http://127.0.0.1:{listener.getsockname()[1]}", {"retry": RetryPolicy.never()}, "embed_text", "x", timeout=5)


def test_a_wrong_input_is_refused_before_anything_is_sent(ask, url, script):
    for arguments in (("embed_text", []), ("embed_text", [b"bytes"]), ("embed_text", "\ud800"), ("embed_image", 3.5), ("embed_text", 3)):
        with pytest.raises(InvalidInput):
            ask(url, {}, *arguments)
    with pytest.raises(InvalidInput, match="positive number of seconds"):
        ask(url, {}, "embed_text", "x", timeout=0)
    with pytest.raises(InvalidInput, match="header"):
        ask(url, {}, "embed_text", "x", headers={"a\nb": "c"})
    assert script.seen == []


def test_bulk_keeps_the_order_and_the_bound(ask, url, script):
    script.replies += [Reply(delay=0.1 if n % 3 == 0 else 0.0) for n in range(30)]
    pictures = [bytes([n]) * (n + 1) for n in range(30)]
    pairs = ask(url, {}, "embed_images", iter(pictures), concurrency=4)
    assert [pair.image for pair in pairs] == pictures
    assert [pair.embedding[0] for pair in pairs] == [n + 1 for n in range(30)]
    assert 1 < script.most_busy <= 4


def test_bulk_skips_what_fails_and_tells(ask, url, script):
    script.replies += [Reply(), Reply("INVALID_ARGUMENT", "no picture"), Reply()]
    told = []
    pairs = ask(url, {}, "embed_images", [b"a", b"b", b"c"], concurrency=1, on_error=lambda image, error: told.append((image, str(error))))
    assert [pair.image for pair in pairs] == [b"a", b"c"]
    assert told == [(b"b", "no picture")]
    script.replies += [Reply("INVALID_ARGUMENT", "no picture")]
    assert [pair.image for pair in ask(url, {}, "embed_images", [b"a", b"b"], concurrency=1, on_error="skip")] == [b"b"]


def test_bulk_raises_by_default(ask, url, script):
    script.replies += [Reply("INVALID_ARGUMENT", "no picture")]
    with pytest.raises(InvalidInput, match="no picture"):
        ask(url, {}, "embed_images", [b"a", b"b"], concurrency=1)


def test_bulk_does_not_skip_through_a_server_that_is_gone(ask, free_port, scheme):
    told = []
    options = {"retry": RetryPolicy.never()}
    url = f"{scheme}://127.0.0.1:{free_port}"
    with pytest.raises(ServerUnreachable):
        ask(url, options, "embed_images", [b"a"] * 1000, on_error=lambda *pair: told.append(pair))
    assert told == []


@pytest.mark.parametrize("options", [{"concurrency": 0}, {"on_error": "ignore"}])
def test_bulk_refuses_wrong_options_before_it_starts(ask, url, options):
    with pytest.raises(InvalidInput):
        ask(url, {}, "embed_images", [b"a"], **options)


def test_every_failure_is_a_triptych_error():
    for kind in (InvalidInput, NotFound, Overloaded, DeadlineExceeded, ServerUnreachable, ServerError, AccessDenied):
        assert issubclass(kind, TriptychError)
