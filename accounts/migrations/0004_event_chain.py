"""Each account event carries the digest of the one before it (R18); see accounts/chain.py."""

from django.db import migrations

HEADS = """
CREATE FUNCTION accounts_lock_head(whose bigint, which text) RETURNS accounts_chainhead
LANGUAGE plpgsql AS $$
DECLARE head accounts_chainhead;
BEGIN
  INSERT INTO accounts_chainhead (laboratory_id, chain, length, digest)
  VALUES (whose, which, 0, repeat('0', 64)) ON CONFLICT DO NOTHING;
  SELECT * INTO head FROM accounts_chainhead
  WHERE laboratory_id = whose AND chain = which FOR UPDATE;
  RETURN head;
END $$;
CREATE FUNCTION accounts_chain_moment(moment timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;
CREATE FUNCTION accounts_chain_digest(content jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$ SELECT encode(sha256(convert_to(content::text, 'UTF8')), 'hex') $$;
CREATE FUNCTION accounts_refuse_moving_head() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the head of a chain is moved by events alone'; END $$;
CREATE TRIGGER heads_are_moved_by_events_alone
BEFORE UPDATE OR DELETE ON accounts_chainhead
FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION accounts_refuse_moving_head();
CREATE TRIGGER heads_are_never_emptied
BEFORE TRUNCATE ON accounts_chainhead
FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_moving_head();
"""
NO_HEADS = """
DROP TRIGGER heads_are_never_emptied ON accounts_chainhead;
DROP TRIGGER heads_are_moved_by_events_alone ON accounts_chainhead;
DROP FUNCTION accounts_refuse_moving_head();
DROP FUNCTION accounts_chain_digest(jsonb);
DROP FUNCTION accounts_chain_moment(timestamptz);
DROP FUNCTION accounts_lock_head(bigint, text);
"""
LINK = """
CREATE FUNCTION accounts_accountevent_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE head accounts_chainhead;
BEGIN
  head := accounts_lock_head(NEW.laboratory_id, 'accounts');
  NEW.sequence := head.length + 1;
  NEW.previous := head.digest;
  NEW.recorded_at := clock_timestamp();
  NEW.digest := accounts_chain_digest(jsonb_build_array(
    NEW.sequence, NEW.previous, NEW.laboratory_id, NEW.id, NEW.actor_id, NEW.subject_id,
    NEW.action, NEW.detail::text,
    accounts_chain_moment(NEW.at), accounts_chain_moment(NEW.recorded_at)
  ));
  UPDATE accounts_chainhead SET length = NEW.sequence, digest = NEW.digest WHERE id = head.id;
  RETURN NEW;
END $$;
CREATE TRIGGER account_events_are_chained
BEFORE INSERT ON accounts_accountevent
FOR EACH ROW EXECUTE FUNCTION accounts_accountevent_link();
"""
NO_LINK = """
DROP TRIGGER account_events_are_chained ON accounts_accountevent;
DROP FUNCTION accounts_accountevent_link();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_accounts_are_never_passed_on")]
    operations = [migrations.RunSQL(HEADS, NO_HEADS), migrations.RunSQL(LINK, NO_LINK)]
