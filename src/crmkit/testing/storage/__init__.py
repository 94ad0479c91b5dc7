"""StorageSuite: what a database, and a contact store, must do with what they are given."""

from __future__ import annotations

from crmkit.testing.storage.columns import ColumnLaws
from crmkit.testing.storage.contacts import ContactLaws
from crmkit.testing.storage.log import LogLaws
from crmkit.testing.storage.orders import OrderLaws
from crmkit.testing.storage.together import TogetherLaws

__all__ = ["StorageSuite"]


class StorageSuite(ContactLaws, OrderLaws, LogLaws, ColumnLaws, TogetherLaws):
    """Tests a database and a contact store against the laws of `docs/reference/storage-suite.md`.

    Subclass it and write `make_crm`; the attributes `several_connections`, `several_writers` and `isolation_levels`
    claim what the database can do, `writable` and `shared_points` what the contact store can.
    """

    __test__ = False
