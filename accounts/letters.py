"""The letters that bring a one-time link to the person it is for."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from accounts.models import Invitation, User

log = logging.getLogger(__name__)


def are_delivered() -> bool:
    """Whether this installation has a mail server; without one, letters only lie in a folder."""
    return bool(settings.EMAIL_HOST)


def send_invitation(invitation: Invitation, link: str) -> bool:
    text = render_to_string(
        "accounts/letters/invitation.txt", {"invitation": invitation, "link": link}
    )
    subject = f"Your invitation to {invitation.laboratory.name} on CytoDesk"
    return _send(invitation.email, subject, text)


def send_reset_link(user: User, actor: User, link: str) -> bool:
    text = render_to_string(
        "accounts/letters/reset_link.txt", {"user": user, "actor": actor, "link": link}
    )
    return _send(user.email, "Set a new password on CytoDesk", text)


def _send(address: str, subject: str, text: str) -> bool:
    """Whether the letter left: one that did not is said on the page, it does not break it."""
    try:
        send_mail(subject, text, None, [address])
    except (OSError, SMTPException):
        log.exception("A letter could not be sent")
        return False
    return are_delivered()
