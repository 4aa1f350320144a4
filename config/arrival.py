"""How large a request with files may be, judged by what it announces, before a byte is stored."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler


class BoundedUpload(FileUploadHandler):
    """Stands before the handlers that keep files: those would fill the disk with whatever comes."""

    def handle_raw_input(
        self,
        input_data: object,  # noqa: ARG002 -- as in the base class
        META: Mapping[str, str],  # noqa: ARG002, N803 -- likewise
        content_length: int,
        boundary: str,  # noqa: ARG002 -- likewise
        encoding: str | None = None,  # noqa: ARG002 -- likewise
    ) -> None:
        if content_length > settings.ARCHIVE_MAX_BYTES:
            raise RequestDataTooBig("The request carries more than is allowed: send it in parts.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:  # noqa: ARG002 -- likewise
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile[bytes] | None:  # noqa: ARG002 -- likewise
        return None
