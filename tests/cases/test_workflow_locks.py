"""A verb that holds a case and a look at the same case: neither waits for the other for ever."""

from threading import Event, Thread

import pytest
from django.db import connection, transaction

from cases import audit
from cases.models import Case
from cases.workflow.transition import locked
from tests import make

Status = Case.Status


@pytest.mark.django_db(transaction=True)
def test_who_looks_at_a_case_while_a_verb_changes_it_stops_neither():
    case = make.case(Status.REVIEWING, images=1)
    colleague = make.pathologist(laboratory=case.laboratory)
    looked = Event()

    def look():
        try:
            audit.viewed(case, colleague)
            looked.set()
        finally:
            connection.close()

    looking = Thread(target=look)
    with transaction.atomic():
        held = locked(case, "decide on the cells of", *Case.HELD)
        looking.start()
        looked.wait(3)
        audit.record(held, held.reviewer, "decide")
    looking.join()

    assert looked.is_set()
    assert sorted(case.events.values_list("action", flat=True)) == ["decide", "view"]
