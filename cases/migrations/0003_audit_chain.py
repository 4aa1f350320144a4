"""Each event of a case carries the digest of the one before it (R18); see accounts/chain.py."""

from django.db import migrations

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
        ("accounts", "0004_event_chain"),
        ("cases", "0002_append_only_audit_and_reports"),
    ]
    operations = [migrations.RunSQL(LINK, NO_LINK)]
