"""StorageSuite: what a database, and a contact store, must do with what they are given."""

from crmkit.testing.storage.mapped import MappedSuite
from crmkit.testing.storage.suite import StorageSuite

__all__ = ["MappedSuite", "StorageSuite"]
