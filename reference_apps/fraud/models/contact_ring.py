"""Model 8, contact ring: people who name one another's contacts, some of them known as bad.

Required: contacts. Optional: contact_reciprocity (the share of the contacts that name the applicant too). Counted: accounts on a contact in 24 h and 30 d; in
the graph, the ring's size, bad accounts within two hops, links made in 24 h.
"""

from reference_apps.fraud.models.scoring import Model, Sign, figure, high

MODEL = Model(
    name="contact_ring",
    required=("contacts",),
    bias=-4.0,
    median=0.018,
    signs=(
        figure("{value} other accounts named a contact of these in 24 h", 1.2, "contact", "24h", "account", free=1),
        figure("{value} other accounts beyond the third named a contact of these in 30 d", 0.5, "contact", "30d", "account", free=4, full=9),
        Sign("in a ring of {ring} accounts", 0.3, "min(3.0, log2(t.ring))", "t.ring > 1"),
        Sign("{value} of the accounts near by are on the block list", 2.5, "t.bad_near / t.near", "t.near"),
        Sign("{value} new links in 24 h beyond the fifth", 0.05, "t.new_24h - 5", "t.new_24h > 5"),
        high("{value} of the contacts name the applicant too", 1.0, "contact_reciprocity", free=0.8),
    ),
)
