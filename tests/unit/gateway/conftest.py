"""What tests of the gateway share with those of the client."""

from tests.unit.client.conftest import free_port

__all__ = ["free_port"]
