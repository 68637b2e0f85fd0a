"""Model 6, device cluster: many people on one device are a farm.

Required: device. Optional: device_age_days, fingerprint_entropy (1: as varied as a real phone), factory_reset. Counted: accounts and phones on the device in
1 h, 24 h and 30 d.
"""

from reference_apps.fraud.models.scoring import Model, figure, flag, low

MODEL = Model(
    name="device_cluster",
    required=("device",),
    bias=-5.2,
    median=0.039,
    signs=(
        figure("{value} accounts on this device in 1 h", 0.5, "device", "1h", "account"),
        figure("{value} accounts on this device in 24 h", 1.0, "device", "24h", "account"),
        figure("{value} phones on this device in 24 h", 0.5, "device", "24h", "phone"),
        figure("{value} accounts beyond the third on this device in 30 d", 0.4, "device", "30d", "account", free=3),
        low("the device was first seen {value} days ago", 1.2, "device_age_days", free=7),
        low("a fingerprint that hardly varies: {value}", 1.5, "fingerprint_entropy", free=0.4),
        flag("reset to the factory's state", 1.0, "factory_reset"),
    ),
)
