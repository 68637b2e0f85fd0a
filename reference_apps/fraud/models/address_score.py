"""Model 3, address score: the address is invented, shared, or only there to pick goods up.

Required: address, geocode_precision_m (metres within which it was found). Optional: distances in km from home to work, network, GPS and delivery,
bad_address_similarity, address_edits, forwarder. Counted: accounts on the address in 30 d, up to five: above, it may as well
be a dormitory, and the place itself must look bad, too.
"""

from reference_apps.fraud.models.scoring import Model, figure, flag, high

MODEL = Model(
    name="address_score",
    required=("address", "geocode_precision_m"),
    bias=-2.9,
    median=0.052,
    signs=(
        high("the address is found only within {value} m", 1.5, "geocode_precision_m", free=200, full=5_000),
        high("work is {value} km from home", 0.5, "home_work_km", free=100, full=1_000),
        high("the network is {value} km from home", 0.8, "home_ip_km", free=300, full=1_500),
        high("the device is {value} km from home", 1.2, "home_gps_km", free=50, full=800),
        high("delivery is {value} km from home", 1.2, "home_delivery_km", free=50, full=800),
        high("{value} like an address known as bad", 2.5, "bad_address_similarity", free=0.5),
        high("the address was edited {value} times", 0.8, "address_edits", free=1, full=6),
        flag("a freight forwarder's address", 1.5, "forwarder"),
        figure("{value} other accounts at the address in 30 d", 0.5, "address", "30d", "account", free=2, full=5),
    ),
)
