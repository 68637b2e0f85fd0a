"""The files of the catalog, field by field: what may be written, what it means, and what it is when it is left out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from ctl.backends.catalog import policy
from ctl.backends.catalog.policy import RolloutFile, Strict
from ctl.backends.catalog.values import ConfigKey, Count, Inside, Name, PortNumber, Rate, Several, SomeSeconds, Text, UrlPath
from ctl.model.service import (
    ArtifactSource,
    DegradeLevel,
    Handover,
    Health,
    Kind,
    Layer,
    Limit,
    Port,
    Resources,
    ScalePolicy,
    Service,
    Slo,
)

KIT = ("ctl/__init__.py", "ctl/kit", "reference_apps/__init__.py")
SAMPLE = ArtifactSource(include=(*KIT, "reference_apps/sample"), command=("python", "-m", "reference_apps.sample"))
HEALTH, RESOURCES, SCALE, SLO = Health(), Resources(), ScalePolicy(), Slo()


class ArtifactFile(Strict):
    """What `msxfctl build` packs, and what an instance runs. Left out: the generic workload, which calls the service's dependencies."""

    include: list[Inside] = Field(min_length=1, description="Files and folders, relative to the project.", examples=[["reference_apps/risk"]])
    command: list[Text] = Field(min_length=1, description="What runs inside the unpacked artifact.", examples=[["python", "-m", "reference_apps.risk"]])

    def to_model(self) -> ArtifactSource:
        return ArtifactSource(include=tuple(self.include), command=tuple(self.command))


class HealthFile(Strict):
    """Where and how often an instance is asked how it is."""

    live_path: UrlPath = Field(default=HEALTH.live_path, description="Answers 200 while the process is alive.")
    ready_path: UrlPath = Field(default=HEALTH.ready_path, description="Answers 200 while the instance takes traffic.")
    interval_s: SomeSeconds = Field(default=HEALTH.interval_s, description="Seconds between two questions.")
    timeout_s: SomeSeconds = Field(default=HEALTH.timeout_s, description="No answer after so many seconds is a no.")


class ResourcesFile(Strict):
    """What one instance asks for."""

    cpu_m: Annotated[int, Field(ge=1, le=128_000)] = Field(default=RESOURCES.cpu_m, description="Thousandths of a CPU core.")
    memory_mb: Annotated[int, Field(ge=1, le=1_048_576)] = Field(default=RESOURCES.memory_mb, description="Memory in MB.")


class ScaleFile(Strict):
    """The bounds of the number of instances, for the autoscaler and for operators."""

    min: Count = Field(default=SCALE.min, description="Never fewer.")
    max: Several = Field(default=SCALE.max, description="Never more.")


class DegradeFile(Strict):
    """One level of doing less under pressure; level 1 gives up least."""

    level: Annotated[int, Field(ge=1, le=9)] = Field(description="1, 2, 3, … in this order.", examples=[1])
    without: list[Name] = Field(min_length=1, description="The features that this level switches off.", examples=[["recommendations"]])
    effect: str = Field(default="", max_length=200, description="What customers notice.")

    def to_model(self) -> DegradeLevel:
        return DegradeLevel(level=self.level, off=tuple(self.without), effect=self.effect)


class LimitFile(Strict):
    """How many requests a route may take."""

    route: UrlPath = Field(description="The beginning of the path.", examples=["/"])
    rps: Rate = Field(description="Requests a second.", examples=[200])
    burst: Rate | None = Field(default=None, description="So many at once; left out: as many as rps.")

    def to_model(self) -> Limit:
        return Limit(route=self.route, rps=self.rps, burst=self.burst or self.rps)


class SloFile(Strict):
    """What the service promises over 30 days."""

    availability_pct: Annotated[float, Field(gt=0, lt=100)] = Field(
        default=SLO.availability_pct, description="Percent of requests answered without an error of ours."
    )
    p99_ms: Annotated[int, Field(ge=1)] | None = Field(default=SLO.p99_ms, description="99 of 100 requests are answered within so many milliseconds.")


class OverrideFile(Strict):
    """What is different in one environment."""

    rollout: RolloutFile = Field(default_factory=RolloutFile, description="Laid over the service's rollout and over that of catalog/environments.yaml.")


class ServiceFile(Strict):
    """One service of the catalog, one file: catalog/DOMAIN/NAME.yaml."""

    name: Name = Field(description="The service's name, which is the file's name as well.", examples=["sms-gateway"])
    domain: Name = Field(description="The folder it lies in; catalog/domains.yaml lists them.", examples=["message"])
    summary: Text = Field(description="What it does, in one line.", examples=["Sends text messages through three carriers."])
    owner: Name = Field(description="The team that is called at night.", examples=["team-messaging"])
    tier: Annotated[int, Field(ge=0, le=3)] = Field(description="0: the company stops without it, to 3: nobody notices before morning.", examples=[2])
    kind: Annotated[Kind, Field(strict=False)] = Field(default=Kind.HTTP, description="http, worker, batch or stateful.")
    artifact: ArtifactFile | None = Field(default=None, description="Its code and command; left out: the generic workload reference_apps/sample.")
    ports: dict[Name, PortNumber] = Field(default={"http": 0}, min_length=1, description="Named ports; 0 has the runtime choose a number.")
    health: HealthFile = Field(default_factory=HealthFile, description="How an instance is asked how it is.")
    resources: ResourcesFile = Field(default_factory=ResourcesFile, description="What one instance asks for.")
    replicas: dict[Name, Count] = Field(default={}, description="Instances by environment; 1 where an environment is left out.")
    depends_on: list[Name] = Field(default=[], description="The services it calls. The graph has no cycle, and no arrow from base up to a front.")
    rollout: RolloutFile = Field(default_factory=RolloutFile, description="How a new release replaces the old one.")
    scale: ScaleFile = Field(default_factory=ScaleFile, description="The bounds of the number of instances.")
    degrade: list[DegradeFile] = Field(default=[], description="Levels of doing less, level 1 first.")
    limits: list[LimitFile] = Field(default=[], description="How many requests its routes may take.")
    slo: SloFile = Field(default_factory=SloFile, description="What it promises.")
    config: dict[ConfigKey, str] = Field(
        default={}, description="Config values, all of them text; price.table reaches the instance as MSXF_CONFIG_PRICE_TABLE."
    )
    runtime: Literal["local", "kubernetes", "ansible"] = Field(default="local", description="What runs it.")
    zones: list[Name] = Field(default=[], description="Failure domains it is spread over; left out: wherever there is room.")
    handover: Annotated[Handover, Field(strict=False)] = Field(
        default=Handover.NONE, description="standby: a single writer, whose heir waits for the writer lock; none: several instances may serve at once."
    )
    environments: dict[Name, OverrideFile] = Field(default={}, description="What is different in one environment.")

    def to_model(self, layer: Layer, environments: Mapping[str, "EnvironmentFile"]) -> dict[str, Service]:
        """Return the service as each environment sees it."""
        plain = self._plain(layer)
        return {name: self._in(plain, name, environment) for name, environment in environments.items()}

    def _in(self, plain: Service, name: str, environment: "EnvironmentFile") -> Service:
        own = self.environments.get(name)
        layers = (self.rollout, environment.rollout, own.rollout if own else None)
        return replace(plain, replicas=self.replicas.get(name, 1), rollout=policy.resolve(self.tier, layers))

    def _plain(self, layer: Layer) -> Service:
        return Service(
            name=self.name,
            domain=self.domain,
            owner=self.owner,
            tier=self.tier,
            kind=self.kind,
            artifact=self.artifact.to_model() if self.artifact else SAMPLE,
            summary=self.summary,
            layer=layer,
            ports=tuple(Port(name=name, number=number) for name, number in self.ports.items()),
            health=Health(**self.health.given()),
            resources=Resources(**self.resources.given()),
            replicas_by_env=self.replicas,
            depends_on=tuple(self.depends_on),
            scale=ScalePolicy(**self.scale.given()),
            degrade=tuple(level.to_model() for level in self.degrade),
            limits=tuple(limit.to_model() for limit in self.limits),
            slo=Slo(**self.slo.given()),
            config=self.config,
            runtime=self.runtime,
            zones=tuple(self.zones),
            handover=self.handover,
        )


class EnvironmentFile(Strict):
    """One environment of catalog/environments.yaml."""

    summary: Text = Field(description="What the environment is for.", examples=["One machine, real processes."])
    rollout: RolloutFile = Field(default_factory=RolloutFile, description="Laid over the rollout of every service.")


class DomainFile(Strict):
    """One domain of catalog/domains.yaml."""

    summary: Text = Field(description="What the services of this folder do together.", examples=["Decides who gets how much."])
    layer: Annotated[Layer, Field(strict=False)] = Field(description="base, middle or front.", examples=["middle"])
