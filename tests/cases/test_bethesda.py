"""The reporting system's codes and the rules of a consistent read."""

import pytest

from cases import bethesda
from cases.bethesda import Adequacy, GeneralCategory, InvalidRead, Read, TransformationZone

ABNORMAL = [
    code
    for code, term in bethesda.INTERPRETATIONS.items()
    if term.category in (GeneralCategory.SQUAMOUS, GeneralCategory.GLANDULAR)
] + ["MAL-OTHER"]
NILM = Read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM",))
SCANT = Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("SCANT",))
BROKEN = Read(adequacy=Adequacy.REJECTED, reasons=("BROKEN",))


def test_the_codes_are_those_of_the_bethesda_system_2014():
    assert list(bethesda.INTERPRETATIONS) == [
        *("NILM", "ENDO45"),
        *("ASC-US", "ASC-H", "LSIL", "HSIL", "HSIL-INV", "SCC"),
        *("AGC-EC", "AGC-EM", "AGC-NOS", "AGC-EC-FN", "AGC-FN", "AIS"),
        *("ADC-EC", "ADC-EM", "ADC-EXT", "ADC-NOS"),
        "MAL-OTHER",
    ]
    assert bethesda.SpecimenType.values == ["CONV", "LBC", "OTHER"]
    assert Adequacy.values == ["SAT", "UNSAT", "UNSAT_REJECTED"]


@pytest.mark.parametrize(
    ("code", "snomed"),
    [
        ("NILM", "373887005"),
        ("ASC-US", "441087007"),
        ("ASC-H", "441088002"),
        ("LSIL", "62051000119105"),
        ("HSIL", "62061000119107"),
        ("HSIL-INV", ""),
        ("SCC", "1162767002"),
        ("AGC-EC", "441094005"),
        ("AGC-EM", "103646000"),
        ("AGC-NOS", "441219009"),
        ("AGC-EC-FN", "373882004"),
        ("AGC-FN", "373883009"),
        ("AIS", "51642000"),
        ("ADC-NOS", "1187332001"),
    ],
)
def test_an_interpretation_has_its_snomed_code(code, snomed):
    assert bethesda.INTERPRETATIONS[code].snomed == snomed


def test_no_snomed_code_stands_for_two_terms_and_the_vaginal_look_alike_for_none():
    tables = (bethesda.REASONS, bethesda.INTERPRETATIONS, bethesda.OBSERVATIONS)
    given = [term.snomed for table in tables for term in table.values() if term.snomed]
    given += [*bethesda.ADEQUACY_SNOMED.values(), *bethesda.TRANSFORMATION_ZONE_SNOMED.values()]

    assert len(given) == len(set(given))
    assert "126481000119106" not in given


@pytest.mark.parametrize(
    ("read", "abnormal_cells", "sentences"),
    [
        (NILM, 0, []),
        (NILM, 3, []),  # what abnormal cells mean is for the reader to say
        (SCANT, 0, []),
        (BROKEN, 0, []),
        (
            Read(adequacy=Adequacy.SATISFACTORY),
            0,
            ["A satisfactory specimen needs an interpretation (R3)."],
        ),
        (
            Read(adequacy=Adequacy.SATISFACTORY, reasons=("BLOOD",), interpretations=("NILM",)),
            0,
            ["A satisfactory specimen has no reason to be unsatisfactory (R3)."],
        ),
        (
            Read(adequacy=Adequacy.UNSATISFACTORY),
            0,
            [f"“{Adequacy.UNSATISFACTORY.label}” needs at least one reason of its kind (R3)."],
        ),
        (
            Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("SCANT", "BROKEN")),
            0,
            [f"“Broken slide” is no reason for “{Adequacy.UNSATISFACTORY.label}” (R3)."],
        ),
        (
            Read(adequacy=Adequacy.REJECTED, reasons=("SCANT",)),
            0,
            [
                "“Rejected, not processed” needs at least one reason of its kind (R3).",
                "“Scant squamous cellularity” is no reason for “Rejected, not processed” (R3).",
            ],
        ),
        (
            Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("SCANT",), interpretations=("NILM",)),
            0,
            ["An unsatisfactory specimen carries no interpretation (R3)."],
        ),
        (
            SCANT,
            1,
            ["With one abnormal cell the specimen is satisfactory, whatever else it shows (R3)."],
        ),
        (
            BROKEN,
            2,
            ["With 2 abnormal cells the specimen is satisfactory, whatever else it shows (R3)."],
        ),
        (
            Read(adequacy=Adequacy.REJECTED, reasons=("BROKEN",), observations=("CANDIDA",)),
            0,
            ["A specimen that was not processed shows no findings (R3)."],
        ),
        (
            Read(adequacy=Adequacy.UNSATISFACTORY, reasons=("BLOOD",), observations=("CANDIDA",)),
            0,
            [],
        ),
        (
            Read(
                adequacy=Adequacy.SATISFACTORY,
                ec_tz=TransformationZone.ABSENT,
                quality=("PARTIAL-BLOOD",),
                interpretations=("LSIL",),
                observations=("TRICHOMONAS", "KERATOTIC"),
            ),
            2,
            [],
        ),
        (
            Read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM", "ENDO45")),
            0,
            [],
        ),
    ],
)
def test_r3_the_problems_of_a_read_are_named_with_their_rule(read, abnormal_cells, sentences):
    assert bethesda.problems(read, abnormal_cells) == sentences


@pytest.mark.parametrize("missing", [{}, {"adequacy": ""}, {"adequacy": None}])
def test_r3_there_is_no_interpretation_without_the_adequacy_before_it(missing):
    with pytest.raises(InvalidRead, match="The adequacy is missing"):
        Read.from_json({"interpretations": ["NILM"]} | missing)


@pytest.mark.parametrize("code", ABNORMAL)
def test_r4_nilm_beside_an_abnormality_is_refused(code):
    read = Read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM", code))

    assert bethesda.problems(read, 0) == [
        f"NILM cannot stand beside {code}: choose one of them (R4)."
    ]


@pytest.mark.parametrize("code", ABNORMAL)
def test_r4_an_organism_beside_an_abnormality_is_allowed(code):
    read = Read(adequacy=Adequacy.SATISFACTORY, interpretations=(code,), observations=("CANDIDA",))

    assert bethesda.problems(read, 1) == []


@pytest.mark.parametrize(
    ("interpretations", "category"),
    [
        ((), None),
        (("NILM",), GeneralCategory.NILM),
        (("NILM", "ENDO45"), GeneralCategory.OTHER),
        (("MAL-OTHER",), GeneralCategory.OTHER),
        (("ASC-US",), GeneralCategory.SQUAMOUS),
        (("AIS", "HSIL"), GeneralCategory.GLANDULAR),
        (("HSIL", "AIS"), GeneralCategory.SQUAMOUS),
        (("ENDO45", "AGC-EM"), GeneralCategory.GLANDULAR),
    ],
)
def test_the_general_category_follows_the_leading_abnormality(interpretations, category):
    read = Read(adequacy=Adequacy.SATISFACTORY, interpretations=interpretations)

    assert bethesda.general_category(read) == category


def test_a_read_survives_json():
    read = Read(
        adequacy=Adequacy.SATISFACTORY,
        ec_tz=TransformationZone.PRESENT,
        quality=("PARTIAL-INFLAMMATION",),
        interpretations=("LSIL", "AGC-NOS"),
        observations=("HERPES",),
        comment="See the earlier case.",
    )

    assert Read.from_json(read.to_json()) == read
    assert read.to_json() == {
        "adequacy": "SAT",
        "reasons": [],
        "ec_tz": "PRESENT",
        "quality": ["PARTIAL-INFLAMMATION"],
        "interpretations": ["LSIL", "AGC-NOS"],
        "observations": ["HERPES"],
        "comment": "See the earlier case.",
    }


def test_a_code_given_twice_counts_once():
    read = Read.from_json({"adequacy": "SAT", "interpretations": ["LSIL", "LSIL"]})

    assert read.interpretations == ("LSIL",)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "The adequacy is missing."),
        ({"adequacy": ""}, "The adequacy is missing."),
        ({"adequacy": "GOOD"}, "“GOOD” is not a known adequacy."),
        ({"adequacy": ["SAT"]}, "“['SAT']” is not a known adequacy."),
        ({"adequacy": "SAT", "ec_tz": "MAYBE"}, "“MAYBE” is not a known EC/TZ component."),
        ({"adequacy": "SAT", "reasons": ["RAIN"]}, "“RAIN” is not a known reason."),
        ({"adequacy": "SAT", "quality": ["BAD"]}, "“BAD” is not a known quality indicator."),
        (
            {"adequacy": "SAT", "interpretations": ["CIN2"]},
            "“CIN2” is not a known interpretation.",
        ),
        (
            {"adequacy": "SAT", "observations": [{"code": "CANDIDA"}]},
            "“{'code': 'CANDIDA'}” is not a known organism or finding.",
        ),
        ({"adequacy": "SAT", "reasons": "SCANT"}, "Each reason belongs in a list."),
        ({"adequacy": "SAT", "reasons": None}, "Each reason belongs in a list."),
        ({"adequacy": "SAT", "comment": 5}, "The comment is not text."),
        ({"adequacy": "SAT", "diagnosis": "LSIL"}, "A read has no “diagnosis”."),
    ],
)
def test_what_is_no_read_is_refused_by_name(sent, sentence):
    with pytest.raises(InvalidRead) as refusal:
        Read.from_json(sent)

    assert str(refusal.value) == sentence
