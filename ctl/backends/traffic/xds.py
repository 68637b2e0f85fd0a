"""Routes as Envoy's xDS resources, and back from what Envoy says it applies. Pure.

A service is one cluster, each of its releases a locality with the release's weight, each instance an endpoint of its release's locality: weights and
instances change in one step, and a request that an instance did not take is repeated at another one of any release.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ctl.model.fleet import RouteEntry, Routes

Resource = dict[str, Any]

API = "type.googleapis.com/envoy."
UNPROCESSED = "x-msxf-unprocessed"
TABLE = "services"
TIMEOUT = "30s"
MOST_BODY = 1 << 20  # a larger request is streamed, and not repeated
NO_LIMIT = 1_000_000
UNKNOWN = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no service of that name takes traffic here"}

# A lost instance shows as a failed connection: three of them, and it is left out for a second, then two, at most five. Answers of the application
# never count: a bad release must be seen by those who judge it, and a service in trouble needs all of its instances. The last one is never left out.
OUTLIERS = {
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 3,
    "enforcing_consecutive_local_origin_failure": 100,
    "enforcing_local_origin_success_rate": 0,
    "enforcing_consecutive_5xx": 0,
    "enforcing_consecutive_gateway_failure": 0,
    "enforcing_success_rate": 0,
    "max_ejection_percent": 99,
    "interval": "0.5s",
    "base_ejection_time": "1s",
    "max_ejection_time": "5s",
}

# Pauses grow from 25 to 500 ms at random, 5 s in all on average: an only instance that restarts within 3 s loses no request. Whoever does not answer at
# all is left to the timeout of the route: to repeat what may still be worked on would do it twice.
RETRIES = {
    "retry_on": "connect-failure,refused-stream,reset,retriable-headers",
    "num_retries": 24,
    "retriable_headers": [{"name": UNPROCESSED, "present_match": True}],
    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.5s"},
    "host_selection_retry_max_attempts": 5,
    "retry_host_predicate": [
        {
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": {"@type": API + "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
        }
    ],
}

CLUSTER: Mapping[str, Any] = {
    "@type": API + "config.cluster.v3.Cluster",
    "type": "STATIC",
    "connect_timeout": "1s",
    "lb_policy": "ROUND_ROBIN",
    # Every change at once, and weights by release alone: however few of a release are left, they get its share.
    "common_lb_config": {"update_merge_window": "0s", "healthy_panic_threshold": {"value": 0}, "locality_weighted_lb_config": {}},
    # The defaults (1024 requests, 3 retries) would turn the loss of one instance into failed requests.
    "circuit_breakers": {
        "thresholds": [{"max_connections": NO_LIMIT, "max_pending_requests": NO_LIMIT, "max_requests": NO_LIMIT, "max_retries": NO_LIMIT}]
    },
    "outlier_detection": OUTLIERS,
    # An idle connection is closed by us before any common server closes it (5 s and more), so that no request meets a closing one.
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": API + "extensions.upstreams.http.v3.HttpProtocolOptions",
            "common_http_protocol_options": {"idle_timeout": "4s"},
            "explicit_http_config": {"http_protocol_options": {}},
        }
    },
}


def cluster(routes: Routes) -> Resource:
    """Return the cluster of a service with all of its instances; without entries it has none and answers 503."""
    assignment = {
        "cluster_name": routes.service,
        "policy": {"overprovisioning_factor": 100_000},
        "endpoints": [_locality(routes.service, entry) for entry in routes.entries],
    }
    return {**CLUSTER, "name": routes.service, "load_assignment": assignment}


def table(services: Sequence[str]) -> Resource:
    """Return the route table: /<service> and all below it go to the service's cluster, without that prefix; anything else is 404."""
    host = {
        "name": TABLE,
        "domains": ["*"],
        "request_body_buffer_limit": MOST_BODY,
        "retry_policy": RETRIES,
        "routes": [*(_route(service) for service in services), _unknown()],
    }
    return {"@type": API + "config.route.v3.RouteConfiguration", "name": TABLE, "virtual_hosts": [host]}


def document(version: str, resources: Sequence[str]) -> str:
    """Return a discovery response of resources that are JSON already."""
    return f'{{"version_info":{json.dumps(version)},"resources":[\n' + ",\n".join(resources) + "\n]}\n"


def names_in(document: str) -> list[str]:
    """Return the services of a route table that document() wrote; none for anything else."""
    try:
        routes = json.loads(document or "{}")["resources"][0]["virtual_hosts"][0]["routes"]
        return [route["name"] for route in routes if "route" in route]
    except (ValueError, LookupError, TypeError):
        return []


def version_in(document: str) -> str:
    """Return the version of what document() wrote; empty for anything else."""
    try:
        return str(json.loads(document or "{}")["version_info"])
    except (ValueError, LookupError, TypeError):
        return ""


def applied(dump: bytes) -> dict[str, Routes]:
    """Read Envoy's dump of endpoints: the routes it applies, by service, with revision 0. Raises ValueError."""
    try:
        found = [one["endpoint_config"] for one in json.loads(dump).get("configs", ())]
        return {one["cluster_name"]: Routes(service=one["cluster_name"], entries=_entries(one)) for one in found}
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"no dump of endpoints: {type(error).__name__} {error}") from error


def _locality(service: str, entry: RouteEntry) -> Resource:
    endpoints = [_endpoint(instance, address) for instance, address in zip(entry.instances, entry.addresses, strict=True)]
    return {"locality": {"region": service, "zone": entry.release}, "load_balancing_weight": entry.weight_pct, "lb_endpoints": endpoints}


def _endpoint(instance: str, address: str) -> Resource:
    host, _, number = address.rpartition(":")
    return {"endpoint": {"hostname": instance, "address": {"socket_address": {"address": host, "port_value": int(number)}}}}


def _route(service: str) -> Resource:
    rewrite = {"pattern": {"regex": f"^/{re.escape(service)}/?"}, "substitution": "/"}
    return {
        "name": service,
        "match": {"path_separated_prefix": f"/{service}"},
        "route": {"cluster": service, "regex_rewrite": rewrite, "timeout": TIMEOUT},
    }


def _unknown() -> Resource:
    kind = {"header": {"key": "content-type", "value": "application/problem+json"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    answer = {"status": 404, "body": {"inline_string": json.dumps(UNKNOWN)}}
    return {"name": "unknown", "match": {"prefix": "/"}, "direct_response": answer, "response_headers_to_add": [kind]}


def _entries(assignment: Mapping[str, Any]) -> tuple[RouteEntry, ...]:
    return tuple(_entry(locality) for locality in assignment.get("endpoints", ()) if locality.get("lb_endpoints"))


def _entry(locality: Mapping[str, Any]) -> RouteEntry:
    endpoints = [one["endpoint"] for one in locality["lb_endpoints"]]
    places = [one["address"]["socket_address"] for one in endpoints]
    return RouteEntry(
        release=locality["locality"]["zone"],
        weight_pct=locality["load_balancing_weight"],
        instances=tuple(one["hostname"] for one in endpoints),
        addresses=tuple(f"{place['address']}:{place['port_value']}" for place in places),
    )
