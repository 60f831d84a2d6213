"""A clinic: patients, doctors, wards, drugs, doses."""

from astra_synth_worker.teacher.world import Kind, Shape, Thing, Words, World

WORLD = World(
    name="clinic",
    openings=("I am a nurse on the late shift.", "I do the clinic's paperwork.", "This is for the ward round."),
    things={
        "patient": Thing("patient", "patient {}", names="people"),
        "ward": Thing("ward", "the {} ward", names="places"),
        "doctor": Thing("doctor", "Dr {}", names="surnames"),
        "drug": Thing("drug", "the drug {}", names="drugs"),
        "weight": Thing("weight", "{} kg", numbers=(12, 98)),
        "pager": Thing("pager number", numbers=(1200, 9800)),
        "dose": Thing("dose", numbers=(100, 99_999)),
        "bed": Thing("bed code", code="A0-00"),
    },
    kinds=(
        Kind(
            "ward_of_patient",
            Shape.LOOKUP,
            ("patient",),
            "ward",
            Words(
                "Ward where a patient lies.",
                ("On which ward is {patient}?", "Where does {patient} lie?", "Which ward has {patient}?"),
                ("the ward of {patient}", "the ward where {patient} lies", "the ward that has {patient}"),
            ),
        ),
        Kind(
            "senior_doctor",
            Shape.BEST,
            ("ward",),
            "doctor",
            Words(
                "Doctor with most years on a ward.",
                (
                    "Which doctor has most years on {ward}?",
                    "Who is the most senior doctor on {ward}?",
                    "Who has served longest on {ward}?",
                ),
                (
                    "the most senior doctor on {ward}",
                    "the doctor with most years on {ward}",
                    "the longest-serving doctor of {ward}",
                ),
            ),
            rank="years",
        ),
        Kind(
            "pager_of_doctor",
            Shape.LOOKUP,
            ("doctor",),
            "pager",
            Words(
                "Pager number of a doctor.",
                (
                    "What is the pager number of {doctor}?",
                    "How do I page {doctor}?",
                    "Which pager does {doctor} carry?",
                ),
                ("the pager number of {doctor}", "the pager of {doctor}", "the pager that {doctor} carries"),
            ),
        ),
        Kind(
            "drug_of_patient",
            Shape.LOOKUP,
            ("patient",),
            "drug",
            Words(
                "Drug that a patient takes.",
                (
                    "Which drug does {patient} take?",
                    "What is {patient} given?",
                    "What drug is prescribed to {patient}?",
                ),
                ("the drug of {patient}", "the drug that {patient} takes", "the drug prescribed to {patient}"),
            ),
        ),
        Kind(
            "dose_of_drug",
            Shape.TARIFF,
            ("drug", "weight"),
            "dose",
            Words(
                "Dose of a drug in mg for a body weight.",
                (
                    "What dose of {drug} is right for {weight}?",
                    "How much of {drug} for {weight}?",
                    "What is the dose of {drug} at {weight}?",
                ),
                (
                    "the dose of {drug} for {weight}",
                    "the right dose of {drug} at {weight}",
                    "the mg of {drug} for {weight}",
                ),
            ),
        ),
        Kind(
            "bed_of_patient",
            Shape.LOOKUP,
            ("patient",),
            "bed",
            Words(
                "Bed code of a patient.",
                ("Which bed has {patient}?", "What is the bed code of {patient}?", "In which bed is {patient}?"),
                ("the bed code of {patient}", "the bed of {patient}", "the bed where {patient} lies"),
            ),
        ),
        Kind(
            "patient_of_doctor",
            Shape.LOOKUP,
            ("doctor",),
            "patient",
            Words(
                "Patient whom a doctor sees next.",
                (
                    "Whom does {doctor} see next?",
                    "Which patient is next for {doctor}?",
                    "Who is the next patient of {doctor}?",
                ),
                (
                    "the next patient of {doctor}",
                    "the patient whom {doctor} sees next",
                    "the patient that {doctor} visits next",
                ),
            ),
        ),
    ),
)
