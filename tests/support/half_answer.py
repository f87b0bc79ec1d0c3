"""An HTTP server that ends amid its answer, as a Triton that is killed does."""

import contextlib
import socket
import threading


@contextlib.contextmanager
def half_an_answer():
    """The address of a server that takes one request, promises 100 bytes and sends four."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            caller, _ = listener.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        server = threading.Thread(target=serve)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.join()
