"""What happens after the commit: events are numbered and relayed, jobs run, deliveries are sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from crmkit.delivery.report import Report

if TYPE_CHECKING:
    from crmkit.crm import CRM

__all__ = ["Report", "release", "replay", "run_due"]


def run_due(crm: CRM, *, relay: str, limit: int, lease: timedelta) -> Report:
    """Do what is due."""
    return Report()


def release(crm: CRM, ids: Sequence[UUID]) -> int:
    """Queue held deliveries."""
    return 0


def replay(crm: CRM, ids: Sequence[UUID]) -> int:
    """Queue settled deliveries again."""
    return 0
