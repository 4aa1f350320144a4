"""Every process that sends a task sends it to the project's own broker."""

from threading import Thread

from celery import current_app
from django.conf import settings


def test_tasks_are_sent_to_the_broker_of_the_settings_from_every_thread():
    found = []

    thread = Thread(target=lambda: found.append(current_app.conf.broker_url))
    thread.start()
    thread.join()

    assert found == [current_app.conf.broker_url] == [settings.CELERY_BROKER_URL]


def test_a_unix_socket_is_named_the_way_celery_names_it(services):
    with current_app.connection() as connection:
        connection.ensure_connection(max_retries=1)

        assert connection.connected
