"""A user stays, and so does the address: a deleted or renamed account could become another's (R17)."""

from django.db import migrations

CREATE = """
CREATE FUNCTION accounts_refuse_passing_on() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'accounts are never deleted and addresses never reassigned'; END $$;
CREATE TRIGGER users_are_never_deleted
BEFORE DELETE ON accounts_user
FOR EACH ROW EXECUTE FUNCTION accounts_refuse_passing_on();
CREATE TRIGGER users_keep_their_address_and_laboratory
BEFORE UPDATE ON accounts_user
FOR EACH ROW WHEN (
  OLD.email IS DISTINCT FROM NEW.email OR OLD.laboratory_id IS DISTINCT FROM NEW.laboratory_id
) EXECUTE FUNCTION accounts_refuse_passing_on();
"""
DROP = """
DROP TRIGGER users_keep_their_address_and_laboratory ON accounts_user;
DROP TRIGGER users_are_never_deleted ON accounts_user;
DROP FUNCTION accounts_refuse_passing_on();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_append_only_account_events")]
    operations = [migrations.RunSQL(CREATE, DROP)]
