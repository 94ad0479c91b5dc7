"""What happens after the commit: events are numbered and relayed, jobs run, deliveries are sent."""

from crmkit.delivery.again import release, replay
from crmkit.delivery.report import Report
from crmkit.delivery.run import run_due

__all__ = ["Report", "release", "replay", "run_due"]
