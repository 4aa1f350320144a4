"""The chain of account events: filled in by the database, held together, computed again here."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F

from accounts import chain, events
from accounts.events import Action
from accounts.models import AccountEvent, ChainHead
from tests import make_accounts as make
from tests.at_once import at_once
from tests.tampering import tamper, without_triggers

# What could be printed in two ways: quotes, escapes, control characters, line separators, numbers.
NASTY = 'He said "\\" \b\f\n\r\t \x01\x1f\x7f \u2028 é 細胞 🔬 </script>'


def events_of(person, number=1):
    return [
        events.record(Action.PASSWORD_CHANGED, person.laboratory, person, person)
        for _ in range(number)
    ]


def broken(laboratory, kept=()):
    return chain.first_break(chain.of_accounts(laboratory), kept)


def head_of(laboratory):
    return ChainHead.objects.get(laboratory=laboratory, chain="accounts")


@pytest.mark.django_db
def test_r18_each_event_carries_the_digest_of_the_one_before_it():
    person = make.administrator()

    first, second = events_of(person, 2)

    assert (first.sequence, first.previous) == (1, chain.FIRST_PREVIOUS)
    assert (second.sequence, second.previous) == (2, first.digest)
    assert len({first.digest, second.digest}) == 2
    head = head_of(person.laboratory)
    assert (head.length, head.digest) == (2, second.digest)
    assert broken(person.laboratory) is None


@pytest.mark.django_db
def test_each_laboratory_has_chains_of_its_own():
    mine, theirs = make.administrator(), make.administrator()

    events_of(mine)
    [event] = events_of(theirs)

    assert (event.sequence, event.previous) == (1, chain.FIRST_PREVIOUS)


@pytest.mark.django_db
@pytest.mark.parametrize("detail", [{"note": NASTY, NASTY: [1.50, 1e300, 10**20, None, True]}, {}])
def test_the_digest_computed_here_is_the_one_the_database_computed(detail):
    person = make.administrator()

    AccountEvent.objects.create(
        laboratory=person.laboratory, actor=None, action=NASTY[:40], detail=detail
    )

    assert broken(person.laboratory) is None


@pytest.mark.django_db
def test_r18_what_a_program_says_of_number_digest_and_time_is_not_taken():
    person = make.administrator()

    event = AccountEvent.objects.create(
        laboratory=person.laboratory,
        action="forged",
        sequence=7,
        previous="f" * 64,
        digest="f" * 64,
        recorded_at="2001-01-01T00:00:00Z",
    )

    assert (event.sequence, event.previous) == (1, chain.FIRST_PREVIOUS)
    assert event.recorded_at.year > 2001
    assert broken(person.laboratory) is None


@pytest.mark.django_db
def test_events_written_in_one_statement_are_chained_too():
    person = make.administrator()
    rows = [AccountEvent(laboratory=person.laboratory, action=f"action-{n}") for n in range(20)]

    AccountEvent.objects.bulk_create(rows)

    assert head_of(person.laboratory).length == 20
    assert broken(person.laboratory) is None


@pytest.mark.django_db(transaction=True)
def test_events_that_happen_at_once_follow_each_other():
    person = make.administrator()

    outcomes = at_once([lambda: events_of(person, 5)] * 8)

    assert outcomes == ["done"] * 8
    assert head_of(person.laboratory).length == 40
    assert broken(person.laboratory) is None


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_taken_back_leaves_no_gap():
    person = make.administrator()
    events_of(person)

    with transaction.atomic():
        events_of(person)
        transaction.set_rollback(True)
    events_of(person)

    assert head_of(person.laboratory).length == 2
    assert broken(person.laboratory) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        lambda heads: heads.update(length=F("length") - 1),
        lambda heads: heads.delete(),
        lambda _: connection.cursor().execute(
            "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE accounts_chainhead"
        ),
    ],
)
def test_r18_nobody_but_an_event_moves_the_head(change):
    person = make.administrator()
    events_of(person)

    with pytest.raises(DatabaseError, match="moved by events alone"), transaction.atomic():
        change(ChainHead.objects.all())

    assert head_of(person.laboratory).length == 1


TAMPERING = {
    "an event was changed": (
        "UPDATE accounts_accountevent SET detail = '[1]' WHERE sequence = 3",
        "Event 3 .* was changed",
    ),
    "the time of an event was changed": (
        "UPDATE accounts_accountevent SET at = at - interval '1 day' WHERE sequence = 3",
        "Event 3 .* was changed",
    ),
    "an event was given to somebody else": (
        "UPDATE accounts_accountevent SET actor_id = NULL WHERE sequence = 3",
        "Event 3 .* was changed",
    ),
    "an event was removed": (
        "DELETE FROM accounts_accountevent WHERE sequence = 3",
        r"Event 3 is .* missing before event 4 of",
    ),
    "events were removed": (
        "DELETE FROM accounts_accountevent WHERE sequence IN (1, 2)",
        r"Events 1 to 2 are .* missing before event 3 of",
    ),
    "an event was removed and the later ones moved up": (
        (
            "WITH gone AS (DELETE FROM accounts_accountevent WHERE sequence = 3)"
            " UPDATE accounts_accountevent SET sequence = sequence - 1 WHERE sequence > 3"
        ),
        "Event 3 .* was changed or moved",
    ),
    "the last event was cut off": (
        "DELETE FROM accounts_accountevent WHERE sequence = 5",
        "The end of .* is cut off: its head says 5 events, and event 5 is missing",
    ),
    "two events changed places": (
        (
            "UPDATE accounts_accountevent SET sequence = CASE sequence WHEN 2 THEN 4 ELSE 2 END"
            " WHERE sequence IN (2, 4)"
        ),
        "Event 2 .* was changed or moved",
    ),
    "the head was set back": (
        (
            "UPDATE accounts_chainhead SET length = 4, digest ="
            " (SELECT digest FROM accounts_accountevent WHERE sequence = 4)"
        ),
        "Event 5 .* lies past its head",
    ),
    "the head names another digest": (
        "UPDATE accounts_chainhead SET digest = repeat('f', 64)",
        "head was changed",
    ),
    "the head was removed": ("DELETE FROM accounts_chainhead", "Event 5 .* lies past its head"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("sql", "sentence"), TAMPERING.values(), ids=TAMPERING)
def test_r18_tampering_with_the_chain_is_named(sql, sentence):
    person = make.administrator()
    events_of(person, 5)
    with without_triggers() as cursor:  # whoever can do that can also let a place be taken twice
        cursor.execute("DROP INDEX account_event_has_its_place_in_the_chain")

    tamper(sql)

    found = broken(person.laboratory)
    assert re.search(sentence, found or ""), found


INSERT = (
    "INSERT INTO accounts_accountevent"
    " (id, laboratory_id, action, detail, at, sequence, previous, digest, recorded_at)"
    " VALUES (gen_random_uuid(), %s, 'forged', '{}', now(), %s, %s, %s, now())"
)


@pytest.mark.django_db
def test_r18_an_event_that_was_inserted_is_named_by_its_number():
    person = make.administrator()
    written = events_of(person, 3)

    tamper(INSERT, person.laboratory_id, 4, written[-1].digest, "f" * 64)

    assert re.search("Event 4 .* lies past its head", broken(person.laboratory))


@pytest.mark.django_db
def test_r18_an_event_inserted_in_the_middle_is_named():
    person = make.administrator()
    written = events_of(person, 3)

    with without_triggers() as cursor:
        for number in (3, 2):
            cursor.execute(
                "UPDATE accounts_accountevent SET sequence = sequence + 1 WHERE sequence = %s",
                [number],
            )
        cursor.execute("UPDATE accounts_chainhead SET length = 4")
        cursor.execute(INSERT, [person.laboratory_id, 2, written[0].digest, "f" * 64])

    assert re.search("Event 2 .*“forged”.* was changed or moved", broken(person.laboratory))


@pytest.mark.django_db
def test_r18_an_event_inserted_beside_another_of_its_number_is_named():
    person = make.administrator()
    written = events_of(person, 3)
    walk = chain.of_accounts(person.laboratory)
    row = list(walk.rows(3))[1] | {"id": uuid4(), "previous": written[1].digest}
    row["recorded_at"] += timedelta(seconds=1)

    with without_triggers() as cursor:
        cursor.execute("DROP INDEX account_event_has_its_place_in_the_chain")
        cursor.execute(
            "INSERT INTO accounts_accountevent (id, laboratory_id, actor_id, subject_id, action,"
            " detail, at, sequence, previous, recorded_at, digest) SELECT %s, laboratory_id,"
            " actor_id, subject_id, action, detail, at, sequence, %s, %s, %s"
            " FROM accounts_accountevent WHERE sequence = 2",
            [row["id"], row["previous"], row["recorded_at"], chain.digest_of(row, walk.columns)],
        )

    assert re.search("Event 2 .* is there twice", broken(person.laboratory) or "")


def rewritten(laboratory):
    """The last two events written anew by somebody who knows how digests are computed."""
    walk = chain.of_accounts(laboratory)
    with without_triggers() as cursor:
        previous = None
        for row in list(walk.rows(4))[2:]:
            row["action"], row["previous"] = "forged", previous or row["previous"]
            previous = chain.digest_of(row, walk.columns)
            cursor.execute(
                "UPDATE accounts_accountevent SET action = 'forged', previous = %s, digest = %s"
                " WHERE id = %s",
                [row["previous"], previous, row["id"]],
            )
        cursor.execute("UPDATE accounts_chainhead SET digest = %s", [previous])


@pytest.mark.django_db
def test_r18_a_chain_rewritten_with_its_head_is_shown_by_a_head_kept_elsewhere():
    person = make.administrator()
    events_of(person, 4)
    kept = [chain.KeptHead.of(head_of(person.laboratory))]

    rewritten(person.laboratory)

    assert broken(person.laboratory) is None, "without the kept head nobody can tell"
    assert re.search("Event 4 .* rewritten", broken(person.laboratory, kept))


@pytest.mark.django_db
def test_r18_a_tail_cut_off_with_its_head_is_shown_by_a_head_kept_elsewhere():
    person = make.administrator()
    written = events_of(person, 4)
    kept = [chain.KeptHead.of(head_of(person.laboratory))]

    with without_triggers() as cursor:
        cursor.execute("DELETE FROM accounts_accountevent WHERE sequence > 2")
        cursor.execute("UPDATE accounts_chainhead SET length = 2, digest = %s", [written[1].digest])

    assert broken(person.laboratory) is None, "without the kept head nobody can tell"
    assert re.search("once had 4 events, and it has 2", broken(person.laboratory, kept))


@pytest.mark.django_db
def test_heads_kept_of_a_chain_that_has_grown_since_are_found_in_it():
    person = make.administrator()
    kept = []
    for _ in range(3):
        events_of(person, 2)
        kept.append(chain.KeptHead.of(head_of(person.laboratory)))

    assert broken(person.laboratory, kept) is None


@pytest.mark.django_db
def test_r18_a_changed_event_whose_digest_was_computed_anew_does_not_fit_the_next_one():
    person = make.administrator()
    events_of(person, 3)
    walk = chain.of_accounts(person.laboratory)
    row = list(walk.rows(3))[1] | {"action": "forged"}

    tamper(
        "UPDATE accounts_accountevent SET action = 'forged', digest = %s WHERE id = %s",
        chain.digest_of(row, walk.columns),
        row["id"],
    )

    assert re.search("Event 3 .* does not follow the event before it", broken(person.laboratory))
