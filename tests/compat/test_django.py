"""A Django host: the CRM joins the connection inside transaction.atomic(), on SQLite and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from sql.hosts import shop

HOST = """
import sys
from datetime import UTC, datetime
import django
from django.conf import settings

engine, name, host, port, user, url = sys.argv[1:7]
settings.configure(DATABASES={"default": {
    "ENGINE": f"django.db.backends.{engine}", "NAME": name, "HOST": host, "PORT": port, "USER": user}},
    USE_TZ=True, INSTALLED_APPS=[])
django.setup()
from django.db import connection, models, transaction
from crmkit import CRM, ContactPoint, Money, Order, OrderLine, TransactionRequired

class Sale(models.Model):
    number = models.CharField(max_length=20)
    at = models.DateTimeField()
    paid = models.BooleanField()
    class Meta:
        app_label = "shop"

with connection.schema_editor() as editor:
    editor.create_model(Sale)
crm = CRM(url)
crm.create_tables()

def place(number):
    now = datetime.now(UTC)
    Sale.objects.create(number=number, at=now, paid=True)
    order = Order(number, [OrderLine("mug", 1, Money(990, "GBP"))], placed_at=now, name="ნინო",
                  points=[ContactPoint.email("nino@example.com")])
    return crm.join(connection.connection).orders.record(order, state="paid")

connection.ensure_connection()
try:
    crm.join(connection.connection)
    raise SystemExit("autocommit was not refused")
except TransactionRequired as error:
    assert "atomic" in str(error), error
with transaction.atomic():
    place("A-1")
try:
    with transaction.atomic():
        place("A-2")
        raise RuntimeError("the shop's own failure")
except RuntimeError:
    pass
with transaction.atomic():
    place("A-3")
    try:
        with transaction.atomic():
            place("A-4")
            raise RuntimeError("inside a savepoint")
    except RuntimeError:
        pass
    assert place("A-5").contact_id == crm.join(connection.connection).orders.get("A-1").contact_id
with crm.begin() as tx:
    assert [key for key in ("A-1", "A-3", "A-5") if tx.orders.get(key)] == ["A-1", "A-3", "A-5"]
    assert tx.sql.connection.exec_driver_sql("SELECT COUNT(*) FROM crm_orders").scalar_one() == 3
assert [sale.number for sale in Sale.objects.order_by("id")] == ["A-1", "A-3", "A-5"]
assert Sale.objects.get(number="A-1").paid is True
connection.close()
print("both or neither")
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_django_host_joins_its_own_connection(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue(f"{database}_url")
    parts = make_url(url)
    shop(url).engine.dispose()
    script = tmp_path / "host.py"
    script.write_text(HOST, encoding="utf-8")
    backend = "sqlite3" if database == "sqlite" else "postgresql"
    arguments = [
        backend,
        str(parts.database),
        parts.host or "",
        str(parts.port or ""),
        parts.username or "",
        url,
    ]
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "both or neither"
