"""The parts of scanning, as the web processes and the video workers both build them."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from beam_api.adapters.job_queue import ScanQueue, connect_queue
from beam_api.adapters.spool import Spool
from beam_api.adapters.webhook_sender import Sender
from beam_api.config import Settings
from beam_api.services.root_secret import secret_key
from beam_api.services.scan_lifecycle import Upkeep
from beam_api.services.webhook_delivery import Delivering
from beam_api.services.webhook_signing import WebhookSecrets
from beam_api.store.deliveries import DeliveryStore
from beam_api.store.scans import ScanStore
from beam_api.store.webhook_secrets import SecretVersionStore
from beam_api.web.schemas.scans import write_scan


@dataclass(frozen=True, slots=True)
class ScanParts:
    """What scanning consists of, apart from HTTP and from the analysis itself."""

    scans: ScanStore
    spool: Spool
    upkeep: Upkeep
    secrets: WebhookSecrets
    delivering: Delivering
    queue: ScanQueue

    @classmethod
    def build(cls, settings: Settings, client: Redis, *, sender: Sender | None = None) -> ScanParts:
        """Build them; connects to nothing."""
        queue = ScanQueue(connect_queue(settings.queue_redis_url) if settings.queue_redis_url else client)
        scans = ScanStore(client, lifetime_s=settings.session_ttl_s)
        spool = Spool(settings.spool_url or str(settings.data_dir / "spool"))
        secrets = WebhookSecrets(SecretVersionStore(client), secret_key(settings))
        sender = sender or Sender(settings.webhook_allow)
        delivering = Delivering(DeliveryStore(client), secrets, sender, enqueue=queue.deliver)
        upkeep = Upkeep(scans, spool, queue, begin_delivery=delivering.begin, write=write_scan)
        return cls(scans, spool, upkeep, secrets, delivering, queue)
