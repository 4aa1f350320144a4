"""A worker is killed, the broker forgets, the database restarts: no case is lost or done twice."""

import time

import pytest
from django.db import OperationalError, close_old_connections, connection

from cases import workflow
from cases.models import Case, Prediction, Run
from tests import make, processes, settings

IMAGES = 200
ENDS_WITHIN = 240.0  # seconds; two busy cores need about thirty

pytestmark = pytest.mark.django_db(transaction=True)


def wait_until(question, what, within=ENDS_WITHIN):
    """Ask until the answer is yes; a database that is away is asked again."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if question():
                return
        except OperationalError:
            connection.close()
        close_old_connections()
        time.sleep(0.1)
    pytest.fail(f"{what}: not within {within:g} s")


def answered(case):
    return Prediction.objects.filter(image__case=case).count()


def test_every_case_ends_awaiting_review_with_one_prediction_an_image(tmp_path, services):
    if settings.SERVICES.postgres.url not in settings.os.environ["DATABASE_URL"]:
        pytest.skip("the database server is not this test's to restart")
    version = make.model_version()
    large = make.case(images=IMAGES)
    small = [make.case(images=3, by=large.accessioned_by) for _ in range(3)]
    worker = processes.Worker(tmp_path, beat=True, RECOVER_EVERY="1", STALLED_AFTER="4")
    worker.start()
    try:
        workflow.submit(large, large.accessioned_by, version)
        wait_until(lambda: answered(large) >= IMAGES // 8, "the first answers")
        worker.kill()
        kept = answered(large)
        for case in small:
            workflow.submit(case, case.accessioned_by, version)
        processes.forget_messages()
        worker.start()  # as the supervisor does
        wait_until(lambda: answered(large) > kept, "answers of the second worker")
        settings.SERVICES.postgres.stop()
        settings.SERVICES.postgres.start()

        wait_until(
            lambda: Case.objects.filter(status=Case.Status.AWAITING_REVIEW).count() == 4,
            "every case awaiting review",
        )
    finally:
        worker.stop()

    assert IMAGES // 8 <= kept < IMAGES, "the worker was killed in the middle"
    assert answered(large) == IMAGES
    assert [answered(case) for case in small] == [3, 3, 3]
    assert large.images.filter(predictions=None).count() == 0
    lost = large.runs.filter(status=Run.Status.FAILED)
    assert 1 <= lost.count() < workflow.MAX_RUNS
    assert large.runs.filter(status=Run.Status.DONE).count() == 1
    assert large.runs.order_by("attempt").first().predictions.count() == kept, "nothing done twice"
