"""The record of what happened to accounts cannot be rewritten, not even from a shell (R18)."""

from django.db import migrations

CREATE = """
CREATE FUNCTION accounts_refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'account events are append-only'; END $$;
CREATE TRIGGER account_events_are_append_only
BEFORE UPDATE OR DELETE ON accounts_accountevent
FOR EACH ROW EXECUTE FUNCTION accounts_refuse_event_change();
CREATE TRIGGER account_events_are_never_emptied
BEFORE TRUNCATE ON accounts_accountevent
FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_event_change();
"""
DROP = """
DROP TRIGGER account_events_are_never_emptied ON accounts_accountevent;
DROP TRIGGER account_events_are_append_only ON accounts_accountevent;
DROP FUNCTION accounts_refuse_event_change();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
