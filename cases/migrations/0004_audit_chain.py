"""Each event of a case carries the digest of the one before it (R18); see accounts/chain.py."""

import django.db.models.functions.datetime
from django.db import migrations, models

# The events of before get their place in the order in which they happened.
LINK = """
CREATE FUNCTION cases_auditevent_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE head accounts_chainhead;
BEGIN
  head := accounts_lock_head(NEW.laboratory_id, 'cases');
  NEW.sequence := head.length + 1;
  NEW.previous := head.digest;
  NEW.recorded_at := clock_timestamp();
  NEW.digest := accounts_chain_digest(jsonb_build_array(
    NEW.sequence, NEW.previous, NEW.laboratory_id, NEW.id, NEW.case_id, NEW.actor_id,
    NEW.action, NEW.from_status, NEW.to_status, NEW.detail::text,
    accounts_chain_moment(NEW.at), accounts_chain_moment(NEW.recorded_at)
  ));
  UPDATE accounts_chainhead SET length = NEW.sequence, digest = NEW.digest WHERE id = head.id;
  RETURN NEW;
END $$;
ALTER TABLE cases_auditevent DISABLE TRIGGER cases_auditevent_is_append_only;
CREATE TRIGGER cases_auditevent_is_chained_belatedly
BEFORE UPDATE ON cases_auditevent
FOR EACH ROW EXECUTE FUNCTION cases_auditevent_link();
DO $$
DECLARE earlier bigint;
BEGIN
  FOR earlier IN SELECT id FROM cases_auditevent ORDER BY id LOOP
    UPDATE cases_auditevent SET sequence = 0 WHERE id = earlier;
  END LOOP;
END $$;
DROP TRIGGER cases_auditevent_is_chained_belatedly ON cases_auditevent;
ALTER TABLE cases_auditevent ENABLE TRIGGER cases_auditevent_is_append_only;
CREATE TRIGGER cases_auditevent_is_chained
BEFORE INSERT ON cases_auditevent
FOR EACH ROW EXECUTE FUNCTION cases_auditevent_link();
"""
NO_LINK = """
DROP TRIGGER cases_auditevent_is_chained ON cases_auditevent;
DROP FUNCTION cases_auditevent_link();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_event_chain"),
        ("cases", "0003_reading_settings"),
    ]
    operations = [
        migrations.AddField(
            model_name="auditevent",
            name="sequence",
            field=models.BigIntegerField(db_default=0, editable=False),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="previous",
            field=models.CharField(db_default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="digest",
            field=models.CharField(db_default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="recorded_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text="By the clock of the database server."),
        ),
        migrations.RunSQL(LINK, NO_LINK),
        migrations.AddConstraint(
            model_name="auditevent",
            constraint=models.UniqueConstraint(models.F("laboratory"), models.F("sequence"), name="audit_event_has_its_place_in_the_chain"),
        ),
    ]
