"""300 mutated pictures through Triton and the gateway, the same ones every time; `make fuzz-server` sends 10,000."""

from random import Random

from tests.fuzz.storm import Servers, Storm
from tests.fuzz.storm_report import broken

PICTURES = 300


async def test_broken_pictures_hurt_nobody(triton, running, group):
    servers = Servers(triton.grpc_url, running.url, (triton.pid, running.process.pid), (triton.log_file, running.log))
    outcome = await Storm(servers, group, Random(8)).run(PICTURES)
    assert broken(outcome) == []
    refused = sum(count for (_, status), count in outcome.statuses.items() if status in {"400", "InvalidInput"})
    assert sum(outcome.statuses.values()) == PICTURES
    assert 0.2 * PICTURES < refused < 0.95 * PICTURES  # some are refused, some are taken
    assert outcome.good == PICTURES // 4
    assert all("UserWarning:" not in log.read_text(errors="replace") for log in servers.logs)  # Pillow's tell what strangers sent
    assert running.get("/ping").text == "pong"
