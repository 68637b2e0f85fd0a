"""Model 4, online high-risk: the session comes from a place where honest customers rarely are.

Required: network, proxy. Optional: hosting_network, emulator, rooted, timezone_mismatch, blacklist_hits, domain_age_days (of the e-mail address's domain),
night_share. Counted: accounts on the network (ip/24) in 1 h.
"""

from reference_apps.fraud.models.scoring import Model, figure, flag, high, low

MODEL = Model(
    name="online_high_risk",
    required=("network", "proxy"),
    bias=-3.0,
    median=0.047,
    signs=(
        flag("through a proxy or VPN", 1.0, "proxy"),
        flag("from a hosting network", 1.2, "hosting_network"),
        flag("on an emulator", 2.4, "emulator"),
        flag("on a rooted device", 0.8, "rooted"),
        flag("time zone and language do not fit", 0.8, "timezone_mismatch"),
        high("on {value} public black lists", 2.0, "blacklist_hits", full=3),
        low("the mail's domain is {value} days old", 1.6, "domain_age_days", free=60),
        high("{value} of the activity is at night", 0.6, "night_share", free=0.4),
        figure("{value} accounts on the network in 1 h", 0.02, "ip", "1h", "account", free=10),
    ),
)
