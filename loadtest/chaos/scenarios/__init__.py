"""The scenarios, in the order in which they are played."""

from loadtest.chaos.scenarios import (
    dropped_uploads,
    full_disk,
    full_memory,
    killed_server,
    killed_stubs,
    out_of_memory,
    reloaded_models,
    stalled_clients,
    swapped_profiles,
    terminated,
)
from loadtest.chaos.stage import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    dropped_uploads.SCENARIO,
    stalled_clients.SCENARIO,
    reloaded_models.SCENARIO,
    swapped_profiles.SCENARIO,
    *killed_stubs.SCENARIOS,
    *out_of_memory.SCENARIOS,
    killed_server.SCENARIO,
    terminated.SCENARIO,
    full_memory.SCENARIO,
    full_disk.SCENARIO,
)
