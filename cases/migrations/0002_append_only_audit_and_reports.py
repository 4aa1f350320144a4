"""Neither the trail of a case nor a signed report can be rewritten, not even from a shell (R12, R18)."""

from django.db import migrations

TABLES = {
    "cases_auditevent": "the audit trail is append-only",
    "cases_report": "a signed report is never rewritten",
}


def create(table, sentence):
    return f"""
CREATE FUNCTION {table}_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{sentence}'; END $$;
CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_refuse_change();
CREATE TRIGGER {table}_is_never_emptied BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse_change();
"""


def drop(table):
    return f"""
DROP TRIGGER {table}_is_never_emptied ON {table};
DROP TRIGGER {table}_is_append_only ON {table};
DROP FUNCTION {table}_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial")]
    operations = [
        migrations.RunSQL(create(table, sentence), drop(table)) for table, sentence in TABLES.items()
    ]
