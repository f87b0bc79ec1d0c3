"""Locust's photo servers against the gateway."""

import subprocess
import sys

from tests.support.drawn import encode, picture
from tests.support.serving import CHECKOUT


def test_photo_servers(running, tmp_path):
    for index in range(12):
        (tmp_path / f"{index}.jpg").write_bytes(encode(picture(320 + index, 240), "jpeg"))
    command = [sys.executable, "-m", "locust", "-f", "loadtest/locustfile.py", "--headless", "--only-summary", "--photos", str(tmp_path)]
    command += ["--images", "0", "--faces", "0", "--texts", "0", "--predicts", "1", "--gateway", running.url]
    command += ["-u", "2", "-r", "2", "-t", "5s", "--slo", "predict_clip:p95=60000", "--slo", "predict_faces:p95=60000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=CHECKOUT.root)
    assert done.returncode == 0, done.stderr
