"""The one place that reads the environment. Everything else receives a `Settings`."""

import difflib
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from worker.moderation.errors import MisconfiguredError

PREFIX = "ZOOMIN_"
SERVICES = ("database_url", "broker_url", "s3_endpoint", "buckets", "model")  # production must name all of them
SHORTEST_SECRETS_KEY = 32  # characters: 128 bits even as hex digits
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Mode(StrEnum):
    """Where services come from when they are not named."""

    LOCAL = "local"  # the embedded stack under `home`
    PRODUCTION = "production"  # nowhere: refuse to start


class Settings(BaseSettings):
    """Every field is an environment variable `ZOOMIN_<NAME>`; the README's table is generated from here."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    mode: Mode = Field(Mode.LOCAL, description="`local` falls back to the embedded stack; `production` refuses to start half-configured")
    home: Path = Field(Path(".zoomin"), description="data, sockets and logs of the embedded stack; written nowhere else")

    database_url: SecretStr | None = Field(None, description="`postgresql+psycopg://…` of the queue of record")
    owner_url: SecretStr | None = Field(None, description="the same database as its owner, for `zoomin db upgrade`; unset: `database_url`")
    broker_url: SecretStr | None = Field(None, description="`redis://…` of the doorbell; use TLS (`rediss://`) outside one machine")
    s3_endpoint: str | None = Field(None, description="S3 endpoint; for AWS itself `https://s3.<region>.amazonaws.com`")
    s3_region: str = Field("us-east-1", description="S3 region")
    s3_access_key: SecretStr | None = Field(None, description="S3 key; unset: boto3's own chain (instance role, profile)")
    s3_secret_key: SecretStr | None = Field(None, description="S3 secret")
    buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="buckets that images and manifests may come from, comma-separated"
    )
    upload_bucket: str = Field("zoomin-uploads", description="where `scan FOLDER` uploads; always an allowed source")
    evidence_bucket: str = Field("zoomin-evidence", description="our own bucket for what the model was sent")
    tenant: str = Field("default", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="tenant that the CLI submits as and people sign in to")

    oidc_issuer: str | None = Field(
        None, description="OIDC issuer that people sign in with, `https://…`; unset: nobody signs in (`zoomin up` brings an issuer)"
    )
    oidc_client_id: str | None = Field(None, description="our client id there, with the redirect `<public url>/v1/sign-in/callback`")
    oidc_client_secret: SecretStr | None = Field(None, description="our secret there; unset: a public client, which PKCE protects")
    public_url: str | None = Field(None, description="the API's origin as browsers see it, `https://…`; sign-in needs it")

    api_url: str | None = Field(
        None, pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$", description="API that commands speak to instead of a database: `https://…`"
    )
    api_key: SecretStr | None = Field(None, description="key for `ZOOMIN_API_URL`, from `zoomin keys create`")

    secrets_key: SecretStr | None = Field(
        None,
        description="seals webhook secrets and sign-ins: 32 random characters or more; of several, by commas, the first seals, all open",
    )
    webhook_private_targets: bool = Field(
        default=False, description="local mode only: webhooks may go to this machine's loopback addresses, by plain http too"
    )

    dsa_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        description="API of the DSA transparency database, say `https://transparency.dsa.ec.europa.eu/api/v1`; unset: nothing is sent",
    )
    dsa_token: SecretStr | None = Field(None, description="its API token: one platform's, for the statements of all tenants")
    dsa_hold_hours: float = Field(24.0, ge=0, le=720, description="a signed statement of reasons can be withdrawn for so long")

    model: str | None = Field(None, description="`nano`, a local checkpoint directory, or `openai:<model>@<base url>`")
    model_api_key: SecretStr | None = Field(None, description="bearer key of an `openai:` endpoint")
    explainer_api_key: SecretStr | None = Field(None, description="bearer key of the endpoint that `zoomin dataset annotate` asks")
    translation_model: str | None = Field(
        None, description="who translates explanations: `openai:<model>@<base url>`; unset: the serving model, which nano is not able to"
    )
    translation_api_key: SecretStr | None = Field(
        None, description="bearer key of `ZOOMIN_TRANSLATION_MODEL`, which must then be https, or on this machine"
    )
    translation_seconds: float = Field(120.0, gt=0, le=600, description="deadline of one request for a translation")
    translation_calls_per_minute: int = Field(60, ge=1, le=6000, description="requests for translations per minute, in each worker")
    translation_tokens_per_day: int = Field(
        1_000_000, ge=0, description="tokens that translations may cost in a day (UTC), all tenants together; then they wait for the next"
    )
    images_in_flight: int = Field(
        16,
        ge=1,
        le=4096,
        description="images judged at once per scan worker, tests of their explanations included; 384 suits one large GPU",
    )
    decode_processes: int = Field(1, ge=1, le=256, description="child processes that decode; about cores − 1")
    max_num_seqs: int = Field(16, ge=1, description="vLLM: sequences per step; 256 on a GPU")
    max_num_batched_tokens: int = Field(8192, ge=256, description="vLLM: tokens per step; 16384 on a GPU")
    max_model_len: int = Field(8192, ge=512, description="vLLM: longest conversation in tokens")
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1, description="vLLM: share of the GPU's memory")
    cpu_kv_cache_gib: int = Field(1, ge=1, description="vLLM: KV cache on a CPU, GiB")
    attention_memory_gib: float = Field(
        16.0, gt=0, description="attention maps: what a conversation's attention may take, beside the weights, GiB; longer ones are refused"
    )

    chunk_items: int = Field(256, ge=1, le=256, description="items per chunk: the unit of lease and of a message")
    chunks_in_flight: int = Field(
        3,
        ge=1,
        le=64,
        description="chunks at once per scan worker, looks and translations beside them: the engine stays full across their ends",
    )
    announce_ahead: int = Field(3, ge=1, le=64, description="chunks announced ahead per worker, and explanation jobs of each kind")
    announce_timeout_seconds: int = Field(
        60, ge=1, description="an announced chunk or explanation job that nobody claimed is rung again after this, then ever more rarely"
    )
    lease_seconds: int = Field(300, ge=2, description="the lease of a chunk or an explanation job that is not renewed expires after this")
    heartbeat_seconds: int = Field(
        60, ge=1, description="leases of chunks are renewed this often while work progresses; those of explanation jobs three times a lease"
    )
    max_attempts: int = Field(
        3, ge=1, le=20, description="claims of a chunk without progress before it is split, and of an explanation job before it has failed"
    )
    sweep_seconds: float = Field(30.0, gt=0, description="pause between sweeps")
    seal_seconds: float = Field(
        3600.0, gt=0, description="an audit event is covered by a seal in the evidence bucket about so long after it"
    )
    retention_seconds: float = Field(
        86400.0, gt=0, description="between runs of retention, by the dispatcher; erased images' objects go within a minute"
    )
    visibility_timeout_seconds: int = Field(
        1800, ge=10, description="Redis redelivers an unacknowledged message after this; above a chunk's time"
    )

    fetch_max_bytes: int = Field(20_000_000, ge=1_000, description="largest image object")
    fetch_timeout_seconds: float = Field(30.0, gt=0, description="deadline of one image's fetch, retries included")
    api_host: str = Field("127.0.0.1", description="address the API listens on")
    api_port: int = Field(8080, ge=0, le=65535, description="port of the API; 0 takes a free one")
    api_body_max_bytes: int = Field(1 << 20, ge=1_024, description="largest body of an API request; more is a manifest in S3")
    api_body_seconds: float = Field(10.0, gt=0, description="a request's body must have arrived within this")
    api_rate_per_second: float = Field(100.0, ge=0, description="API requests per second and key, in each process; 0: no limit")
    api_rate_burst: int = Field(200, ge=1, description="API requests that a key may make at once after a pause")
    api_metrics_open: bool = Field(default=False, description="`true`: the API's /metrics asks for no key")
    intake_poll_seconds: float = Field(0.5, gt=0, description="pause between the intake worker's looks for accepted batches")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of the worker's /metrics; 0: a free one, named in the log")
    attention_metrics_port: int = Field(0, ge=0, le=65535, description="port of the attention worker's /metrics; 0: a free one")
    dispatcher_metrics_port: int = Field(0, ge=0, le=65535, description="port of the dispatcher's /metrics; 0: a free one")
    webhooks_metrics_port: int = Field(0, ge=0, le=65535, description="port of the webhook sender's /metrics; 0: a free one")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="log level")

    @field_validator("buckets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator(
        "dsa_url",
        "dsa_token",
        "oidc_issuer",
        "oidc_client_id",
        "oidc_client_secret",
        "public_url",
        "translation_model",
        "translation_api_key",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value  # as compose files leave what is optional

    @field_validator("api_key", "model_api_key", "explainer_api_key", "translation_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
            raise ValueError("a key is visible ASCII, without spaces or line ends")
        return value

    @field_validator("oidc_issuer", "public_url")
    @classmethod
    def _safe_address(cls, value: str | None) -> str | None:
        if value is not None and not is_safe_address(value):
            raise ValueError("must be https://…, or http:// on a loopback address, without user, query or fragment")
        return value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).path not in {"", "/"}:
            raise ValueError("must be an origin, without a path")
        return value and value.lower().rstrip("/")

    @field_validator("secrets_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(key) < SHORTEST_SECRETS_KEY for key in value.get_secret_value().split(",")):
            raise ValueError(f"each key needs {SHORTEST_SECRETS_KEY} characters at least; try `openssl rand -hex 32`")
        return value

    @model_validator(mode="after")
    def _private_targets_are_for_one_machine(self) -> Self:
        if self.webhook_private_targets and self.mode is not Mode.LOCAL:
            raise ValueError("ZOOMIN_WEBHOOK_PRIVATE_TARGETS is for local mode only: it lets tenants reach this machine's own services")
        return self

    @model_validator(mode="after")
    def _tokens_are_encrypted(self) -> Self:
        if self.mode is not Mode.LOCAL and self.dsa_url is not None and not self.dsa_url.startswith("https://"):
            raise ValueError("ZOOMIN_DSA_URL must be https:// outside local mode: a token and a signature go there")
        return self

    @model_validator(mode="after")
    def _heartbeats_fit_the_lease(self) -> Self:
        if 2 * self.heartbeat_seconds > self.lease_seconds:
            raise ValueError("ZOOMIN_LEASE_SECONDS must be at least twice ZOOMIN_HEARTBEAT_SECONDS, or leases expire while work goes on")
        return self

    @property
    def source_buckets(self) -> frozenset[str]:
        """Buckets that items may point into."""
        return frozenset((*self.buckets, self.upload_bucket))

    def require(self, *names: str) -> Self:
        """Self, when every named setting has a value. Raises MisconfiguredError naming all that are missing."""
        wanted = dict.fromkeys((*names, *(SERVICES if self.mode is Mode.PRODUCTION else ())))
        missing = [PREFIX + name.upper() for name in wanted if not getattr(self, name)]
        if missing:
            raise MisconfiguredError("setting_missing", f"Set {', '.join(missing)}. (Mode is {self.mode}.)")
        return self


def is_safe_address(url: str) -> bool:
    """Whether secrets may travel there: https, or http that does not leave this machine; nothing but scheme, host, port and path."""
    try:
        parts = urlsplit(url)
        plain = bool(parts.hostname) and parts.username is None and parts.port != 0 and not (parts.query or parts.fragment)
    except ValueError:
        return False
    return plain and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS))


def load_settings() -> Settings:
    """Settings from the environment. Raises MisconfiguredError for unknown names and bad values."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise MisconfiguredError("setting_unknown", f"{name} is not a setting.{hint}")
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" if e["loc"] else e["msg"]
            for e in error.errors(include_input=False)
        )
        raise MisconfiguredError("setting_invalid", problems) from None
