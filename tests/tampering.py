"""What somebody can do whom no trigger keeps from it: rows changed behind the program's back."""

from contextlib import contextmanager

from django.db import connection

KEPT = ("accounts_accountevent", "accounts_chainhead", "cases_auditevent", "cases_report")


@contextmanager
def without_triggers():
    """A cursor for which the triggers of the append-only tables are switched off."""
    with connection.cursor() as cursor:
        # What waits for the end of the transaction would keep the tables from being altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in KEPT:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield cursor
        finally:
            for table in KEPT:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def tamper(sql, *values):
    with without_triggers() as cursor:
        cursor.execute(sql, values)
        assert cursor.rowcount, "the tampering touched nothing"
