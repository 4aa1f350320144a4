"""The whole way of a case through HTTP, by a program with tokens and a real worker."""

import time

import pytest
import requests

from accounts import tokens
from cases.models import Case
from inference.labels import CellClass
from tests import make
from tests.make_accounts import PASSWORD

ANSWERED_WITHIN = 120.0  # seconds; the worker loads the model first


class Program:
    """A client of the API as a user would write one."""

    def __init__(self, address, user):
        _, secret = tokens.make_token(user, "journey")
        self.address = f"{address}/api/v1/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {secret}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()

    def get(self, path):
        return self._told(self.session.get(self.address + path, timeout=60))

    def post(self, path, **sent):
        return self._told(self.session.post(self.address + path, timeout=60, **sent))

    def _told(self, answer):
        assert answer.ok, answer.text
        told = answer.json()
        assert told["disclaimer"] == answer.headers["Disclaimer"]
        return told

    def wait_for(self, path, status):
        deadline = time.monotonic() + ANSWERED_WITHIN
        while (case := self.get(path))["status"] != status:
            assert time.monotonic() < deadline, case
            assert case["status"] != "failed", case["runs"]
            time.sleep(0.2)
        return case


@pytest.mark.django_db(transaction=True)
def test_a_case_goes_from_accession_to_signature_through_the_api(live_server, worker):
    version = make.model_version()
    laboratory = make.laboratory()
    technologist = make.cytotechnologist(laboratory=laboratory)
    pathologist = make.pathologist(laboratory=laboratory)
    good = [
        ("file", (f"{cell_class}.png", make.cell_picture(cell_class, seed), "image/png"))
        for seed, cell_class in enumerate(CellClass)
    ]
    bad = ("file", ("note.txt", b"no picture", "text/plain"))

    with Program(live_server.url, technologist) as program:
        case = program.post("cases/", json={"record_number": "P-1", "specimen_type": "LBC"})
        path = f"cases/{case['id']}/"
        uploaded = program.post(path + "images/", files=[*good, bad])
        submitted = program.post(path + "submit/")
        classified = program.wait_for(path, "awaiting_review")

    fates = [file["fate"] for file in uploaded["files"]]
    assert fates == ["stored"] * 5 + ["refused"]
    assert submitted["status"] in {"queued", "classifying"}
    assert classified["progress"] == {"images": 5, "answered": 5, "failed": 0}
    for prediction in classified["predictions"]:
        assert prediction["model_version"]["digest"] == version.digest
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-4)

    with Program(live_server.url, pathologist) as program:
        [row] = program.get("cases/?status=awaiting_review")["results"]
        program.post(f"cases/{row['id']}/claim/")
        decided = program.post(
            path + "findings/",
            json={
                "decisions": [
                    {"image": image["id"], "cell_class": "Superficial-Intermediate"}
                    for image in classified["images"]
                ]
            },
        )
        shown = {"images": [image["id"] for image in classified["images"]]}
        displayed = program.post(path + "displays/", json=shown)
        signed = program.post(
            path + "sign/",
            json={"adequacy": "SAT", "interpretations": ["NILM"], "password": PASSWORD},
        )
        trail = program.get(path + "trail/")

    told = {"images": 5, "displayed": 0, "decided": 5, "excluded": 0}
    assert decided["progress"] == told
    assert displayed["progress"] == told | {"displayed": 5}
    assert signed["status"] == "signed"
    assert signed["report"]["matches"] is True
    assert Case.objects.get().reports.get().digest == signed["report"]["digest"]
    actions = [event["action"] for event in trail["events"]]
    assert actions == [
        "accession",
        *["add_image"] * 5,
        "submit",
        "begin",
        "record",
        "claim",
        "decide",
        "display",
        "sign",
    ]


@pytest.mark.django_db(transaction=True)
def test_an_image_for_a_submitted_case_is_refused_outside_a_transaction_too(live_server):
    case = make.case(Case.Status.QUEUED)
    _, secret = tokens.make_token(case.accessioned_by, "late")

    answer = requests.post(
        f"{live_server.url}/api/v1/cases/{case.pk}/images/",
        files={"file": ("late.png", make.cell_picture())},
        headers={"Authorization": f"Token {secret}"},
        timeout=60,
    )

    assert answer.status_code == 409
    assert answer.json() == {"detail": "Cannot add an image to a case that is queued."}
