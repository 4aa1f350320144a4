"""Each account event carries the digest of the one before it (R18); see accounts/chain.py."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

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
# The events of before get their place in the order in which they happened.
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
ALTER TABLE accounts_accountevent DISABLE TRIGGER account_events_are_append_only;
CREATE TRIGGER account_events_are_chained_belatedly
BEFORE UPDATE ON accounts_accountevent
FOR EACH ROW EXECUTE FUNCTION accounts_accountevent_link();
DO $$
DECLARE earlier uuid;
BEGIN
  FOR earlier IN SELECT id FROM accounts_accountevent ORDER BY at, id LOOP
    UPDATE accounts_accountevent SET sequence = 0 WHERE id = earlier;
  END LOOP;
END $$;
DROP TRIGGER account_events_are_chained_belatedly ON accounts_accountevent;
ALTER TABLE accounts_accountevent ENABLE TRIGGER account_events_are_append_only;
CREATE TRIGGER account_events_are_chained
BEFORE INSERT ON accounts_accountevent
FOR EACH ROW EXECUTE FUNCTION accounts_accountevent_link();
"""
NO_LINK = """
DROP TRIGGER account_events_are_chained ON accounts_accountevent;
DROP FUNCTION accounts_accountevent_link();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_user_is_senior")]
    operations = [
        migrations.CreateModel(
            name="ChainHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("chain", models.CharField(choices=[("cases", "Cases"), ("accounts", "Accounts")], max_length=10)),
                ("length", models.BigIntegerField(default=0)),
                ("digest", models.CharField(max_length=64)),
                ("laboratory", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="chains", to="accounts.laboratory")),
            ],
            options={"ordering": ["laboratory", "chain"]},
        ),
        migrations.AddConstraint(
            model_name="chainhead",
            constraint=models.UniqueConstraint(models.F("laboratory"), models.F("chain"), name="chain_has_one_head"),
        ),
        migrations.RunSQL(HEADS, NO_HEADS),
        migrations.AddField(
            model_name="accountevent",
            name="sequence",
            field=models.BigIntegerField(db_default=0, editable=False),
        ),
        migrations.AddField(
            model_name="accountevent",
            name="previous",
            field=models.CharField(db_default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="accountevent",
            name="digest",
            field=models.CharField(db_default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="accountevent",
            name="recorded_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, help_text="By the clock of the database server."),
        ),
        migrations.RunSQL(LINK, NO_LINK),
        migrations.AddConstraint(
            model_name="accountevent",
            constraint=models.UniqueConstraint(models.F("laboratory"), models.F("sequence"), name="account_event_has_its_place_in_the_chain"),
        ),
    ]
