"""Model 5, malicious operation: no hand fills in forms like this.

Required: dwell_ms (time on the form), touch_entropy (1: as varied as a hand). Optional: key_entropy, paste_ratio, path_rarity, retries, captcha_fails,
requests_per_minute. Counted: the device's events in 60 s.
"""

from reference_apps.fraud.models.scoring import Model, figure, high, low

MODEL = Model(
    name="malicious_operation",
    required=("dwell_ms", "touch_entropy"),
    bias=-2.9,
    median=0.052,
    signs=(
        low("the form was filled in within {value} ms", 2.0, "dwell_ms", free=6_000),
        low("touches are as alike as a machine's: {value}", 1.8, "touch_entropy", free=0.5),
        low("keys are hit as evenly as by a machine: {value}", 1.2, "key_entropy", free=0.5),
        high("{value} of the text was pasted", 1.0, "paste_ratio", free=0.6),
        high("a way through the pages that is rare: {value}", 1.4, "path_rarity", free=0.7),
        high("{value} retries", 0.8, "retries", free=2, full=10),
        high("{value} failed captchas", 1.6, "captcha_fails", free=1, full=5),
        high("{value} requests a minute", 1.5, "requests_per_minute", free=30, full=120),
        figure("{value} events of the device in 60 s", 0.15, "device", "60s", "count", free=3),
    ),
)
