"""A service as it runs in the field."""

from tests.integration.conftest import Service, service, start_service

__all__ = ["Service", "service", "start_service"]
