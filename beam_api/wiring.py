"""Builds the parts of the service. Both the web processes and the video workers start here; nothing connects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from beam_api.adapters.job_queue import ScanQueue, connect_queue
from beam_api.adapters.probe import probe_upload
from beam_api.adapters.spool import Spool
from beam_api.adapters.webhook_sender import Sender
from beam_api.monitoring import counters
from beam_api.server.embedded_redis import running_url
from beam_api.services.access.admission import Admission
from beam_api.services.access.keys import Keys
from beam_api.services.access.root_secret import secret_key
from beam_api.services.access.session_tokens import SessionTokens
from beam_api.services.access.signup import Signup
from beam_api.services.exposition import Exposition
from beam_api.services.scans.scan_lifecycle import ScanLifecycle
from beam_api.services.scans.scanning import Scanning
from beam_api.services.scans.webhook_delivery import WebhookDelivery
from beam_api.services.scans.webhook_signing import WebhookSecrets
from beam_api.services.windows.trend import Trends
from beam_api.store.client import connect
from beam_api.store.deliveries import DeliveryStore
from beam_api.store.events import EventStore
from beam_api.store.keys import KeyStore
from beam_api.store.results import ResultStore
from beam_api.store.scan_budget import ScanBudget
from beam_api.store.scans import ScanStore
from beam_api.store.session_tokens import SessionTokenStore
from beam_api.store.trend import TrendStore
from beam_api.store.usage import UsageStore
from beam_api.store.webhook_secrets import SecretVersionStore
from beam_api.store.windows import WindowStore
from beam_api.web.schemas.scan_answer import write_scan

if TYPE_CHECKING:
    from redis import Redis

    from beam_api.config import Settings
    from beam_api.web.context import Parts
    from rppg_core.face.reader import FaceReader


def build_parts(settings: Settings, *, redis: Redis | None = None, reader: FaceReader | None = None) -> Parts:
    """Build the parts of one web app; see `create_app`."""
    # Imported here: Flask, OpenCV and dlib are large. A video worker has no use for the first, and loads the others
    # when there is something to analyse.
    from beam_api.services.windows.measuring import Measuring
    from beam_api.services.windows.streaming import Streaming
    from beam_api.web.context import Parts
    from beam_api.web.schemas.measure import write_measurement
    from rppg_core import FaceReader, advise, measure

    client = redis or connect(settings.redis_url or running_url(settings.data_dir))
    reader = reader or FaceReader(settings.landmarks)
    keys = Keys(KeyStore(client), UsageStore(client))
    scan = ScanParts.build(settings, client)
    return Parts(
        settings=settings,
        redis=client,
        reader=reader,
        keys=keys,
        signup=Signup.build(settings, keys, client),
        session_tokens=SessionTokens(SessionTokenStore(client)),
        admission=Admission(client, address_limit=settings.address_limit),
        measuring=Measuring(
            WindowStore(client), ResultStore(client), reader, analyse=counters.timed(measure), advise=advise
        ),
        scanning=Scanning(
            *(scan.scans, scan.spool, scan.lifecycle, scan.delivering),
            probe=partial(probe_upload, most_s=settings.scan_limit_s),
            budget=ScanBudget(client, limit_s=settings.scan_budget_s),
            allowed_hosts=settings.webhook_allow,
        ),
        webhook_secrets=scan.secrets,
        exposition=Exposition(settings, client, scan.queue),
        trends=Trends(TrendStore(client)),
        streaming=Streaming(EventStore(client), ResultStore(client), write=write_measurement),
    )


@dataclass(frozen=True, slots=True)
class ScanParts:
    """The parts of scanning, apart from HTTP and from the analysis itself."""

    scans: ScanStore
    spool: Spool
    lifecycle: ScanLifecycle
    secrets: WebhookSecrets
    delivering: WebhookDelivery
    queue: ScanQueue

    @classmethod
    def build(cls, settings: Settings, client: Redis, *, sender: Sender | None = None) -> ScanParts:
        """Build them around one Redis client."""
        queue = ScanQueue(connect_queue(settings.queue_redis_url) if settings.queue_redis_url else client)
        scans = ScanStore(client, lifetime_s=settings.session_ttl_s)
        spool = Spool(settings.spool_url or str(settings.data_dir / "spool"))
        secrets = WebhookSecrets(SecretVersionStore(client), secret_key(settings))
        sender = sender or Sender(settings.webhook_allow)
        delivering = WebhookDelivery(DeliveryStore(client), secrets, sender, enqueue=queue.deliver)
        lifecycle = ScanLifecycle(scans, spool, queue, begin_delivery=delivering.begin, write=write_scan)
        return cls(scans, spool, lifecycle, secrets, delivering, queue)
