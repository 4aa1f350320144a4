"""A committed read is never rewritten, no read is deleted, and a draw stays as drawn (R5, R11)."""

from django.db import migrations

CREATE = """
CREATE FUNCTION cases_refuse_change_of_committed_read() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'a read is kept for ever'; END IF;
  IF (NEW.case_id, NEW.reader_id, NEW.kind)
      IS DISTINCT FROM (OLD.case_id, OLD.reader_id, OLD.kind)
    OR OLD.committed_at IS NOT NULL AND (NEW.is_blind, NEW.committed_at, NEW.committed_read)
      IS DISTINCT FROM (OLD.is_blind, OLD.committed_at, OLD.committed_read)
    THEN RAISE EXCEPTION 'a committed read is never rewritten'; END IF;
  IF OLD.superseded_at IS NOT NULL AND NEW IS DISTINCT FROM OLD
    THEN RAISE EXCEPTION 'a superseded read is never changed'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER cases_review_is_locked_once_committed BEFORE UPDATE OR DELETE ON cases_review
FOR EACH ROW EXECUTE FUNCTION cases_refuse_change_of_committed_read();

CREATE FUNCTION cases_rescreendraw_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a draw is never changed'; END $$;
CREATE TRIGGER cases_rescreendraw_is_append_only BEFORE UPDATE OR DELETE ON cases_rescreendraw
FOR EACH ROW EXECUTE FUNCTION cases_rescreendraw_refuse_change();
"""
DROP = """
DROP TRIGGER cases_rescreendraw_is_append_only ON cases_rescreendraw;
DROP FUNCTION cases_rescreendraw_refuse_change();
DROP TRIGGER cases_review_is_locked_once_committed ON cases_review;
DROP FUNCTION cases_refuse_change_of_committed_read();
"""


class Migration(migrations.Migration):
    dependencies = [("cases", "0003_audit_chain")]
    operations = [migrations.RunSQL(CREATE, DROP)]
