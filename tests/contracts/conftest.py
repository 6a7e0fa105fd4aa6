"""The contract suites borrow the database room's real PostgreSQL and the drivers' remembering sink."""

from tests.db.conftest import collector, collector_url, database, operator, owner, server, thread
from tests.drivers.conftest import quiet_library, sink

__all__ = ["collector", "collector_url", "database", "operator", "owner", "quiet_library", "server", "sink", "thread"]
