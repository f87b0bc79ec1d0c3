"""What importing the client costs and touches."""

import os
import subprocess
import sys


def modules_after(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(' '.join(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return set(run.stdout.split())


def test_the_client_never_imports_the_server():
    modules = modules_after("import triptych, triptych.cli.app; triptych.cli.app.build()")
    assert not {name for name in modules if name.startswith("triptych_server")}


def test_only_the_protocol_in_use_is_imported():
    assert not {"grpc", "aiohttp"} & modules_after("import triptych")
    assert "aiohttp" not in modules_after("import triptych; triptych.Client('grpc://127.0.0.1:1')")
    assert "grpc" not in modules_after("import triptych; triptych.Client('http://127.0.0.1:1')")


def test_the_command_line_starts_without_the_library():
    modules = modules_after("import triptych.cli.app; triptych.cli.app.build()")
    assert not {"triptych.library", "sqlite3", "scipy", "numkong", "pillow_heif"} & modules
