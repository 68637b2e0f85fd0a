"""Model 2, identity anomaly: the applicant is not who the papers say.

Required: name_match, face_score, liveness_score (1 is a perfect match). Optional: id_phone_match, card_match, ocr_match, applicant_age, id_region_match,
phone_tenure_days. Counted: how many other accounts the device has had in 30 d.
"""

from reference_apps.fraud.models.scoring import Model, figure, flag, high, low

MODEL = Model(
    name="identity_anomaly",
    required=("name_match", "face_score", "liveness_score"),
    bias=-3.2,
    median=0.04,
    signs=(
        low("name and identity number match only {value}", 2.5, "name_match", free=0.9),
        low("the face matches only {value}", 3.0, "face_score", free=0.85),
        low("liveness only {value}", 3.0, "liveness_score", free=0.85),
        low("identity number and phone match only {value}", 1.5, "id_phone_match", free=0.9),
        low("the card's holder matches only {value}", 1.5, "card_match", free=0.9),
        low("what was typed matches the document only {value}", 1.5, "ocr_match", free=0.9),
        low("the phone number is {value} days old", 1.0, "phone_tenure_days", free=90),
        high("the applicant is {value} years old", 0.8, "applicant_age", free=60, full=80),
        flag("the document's region does not fit", 0.7, "id_region_match", bad=False),
        figure("{value} other accounts on the device in 30 d", 0.6, "device", "30d", "account", free=1),
    ),
)
