"""The order of test files over parallel workers: long ones first, so that none of them is still at work alone.

Seconds were measured by `pytest --durations=0`. A file that isn't here counts as short; a wrong figure costs time only.
"""

SECONDS = {
    "integration/test_measuring.py": 101,
    "integration/test_scanning.py": 69,
    "integration/test_commands.py": 67,
    "integration/test_readme.py": 62,
    "beam_api/web/test_scans.py": 56,
    "faults/test_a_thousand_windows.py": 54,
    "beam_api/store/test_windows_reference.py": 25,
    "beam_api/store/test_windows.py": 10,
    "hostile/test_slow.py": 47,
    "hostile/test_films.py": 45,
    "integration/test_serving.py": 41,
    "integration/test_read_only.py": 39,
    "faults/test_slow_redis.py": 38,
    "integration/test_topologies.py": 36,
    "integration/test_reload.py": 33,
    "integration/test_object_store.py": 31,
    "beam_api/video_worker/test_worker.py": 27,
    "packaging/test_wheel.py": 40,
    "integration/test_races.py": 24,
    "faults/test_stopping.py": 23,
    "faults/test_killed_workers.py": 23,
    "beam_api/web/test_schemathesis.py": 23,
    "faults/test_clocks.py": 21,
}

SERIAL = {
    # They look at the whole machine: its processes, /dev/shm and /var/tmp.
    "privacy/test_no_image_at_rest.py",
    "privacy/test_evidence.py",
    "access/test_secrets.py",
    # They load the machine until it refuses work, hold it to its pace, or wait for processes with limits on time.
    "beam_api/video_worker/test_worker.py",
    "beam_api/store/test_cluster.py",
    "integration/test_topologies.py",
    "packaging/test_wheel.py",
    "integration/test_load.py",
    "beam_api/services/test_pacing.py",
}
"""Files that run after all the others, by themselves: their tests are marked `serial`."""
