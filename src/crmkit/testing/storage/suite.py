"""StorageSuite: every law of a database and of a contact store."""

from __future__ import annotations

from crmkit.testing.storage.columns import ColumnLaws
from crmkit.testing.storage.contacts import ContactLaws
from crmkit.testing.storage.host import HostLaws
from crmkit.testing.storage.log import LogLaws
from crmkit.testing.storage.merges import MergeLaws
from crmkit.testing.storage.orders import OrderLaws
from crmkit.testing.storage.points import PointLaws
from crmkit.testing.storage.together import TogetherLaws


class StorageSuite(ContactLaws, OrderLaws, LogLaws, ColumnLaws, TogetherLaws, PointLaws, HostLaws, MergeLaws):
    """Tests a database and a contact store against the laws of `docs/reference/storage-suite.md`.

    Subclass it and write `make_crm`; the attributes `several_connections`, `several_writers` and `isolation_levels`
    claim what the database can do, `writable` and `shared_points` what the contact store can. Who writes the methods
    that begin with `host_` claims that contacts are rows of a table of the host.
    """

    __test__ = False
