"""What the plugins registered, checked against one another and read-only from then on."""

from crmkit.registry.build import build_registry
from crmkit.registry.registry import Registry

__all__ = ["Registry", "build_registry"]
