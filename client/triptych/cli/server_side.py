"""The way from a command to the server package, which may not be installed whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from triptych.cli.console import CommandError


@contextmanager
def server_side() -> Iterator[None]:
    """Import and use `triptych_server` inside the block; its errors, and that it is missing, become a CommandError."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime looks at its first import
    try:
        from triptych_server.errors import TriptychServerError
    except ModuleNotFoundError as error:
        raise _incomplete(error) from None
    try:
        yield
    except TriptychServerError as error:
        raise CommandError(str(error)) from None
    except ModuleNotFoundError as error:
        raise _incomplete(error) from None


def _incomplete(error: ModuleNotFoundError) -> CommandError:
    return CommandError(f"this command needs the server part, and {error.name} is not installed: pip install 'triptych[server]'")
