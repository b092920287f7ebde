"""The order of test files over parallel workers: long ones first, so that none of them is still at work alone.

Seconds were measured by `pytest --durations=0`. A file that isn't here counts as short; a wrong figure costs time only.
"""

SECONDS = {
    "browser/test_playground_colours.py": 90,
    "browser/test_playground_result.py": 85,
    "browser/test_playground.py": 80,
    "browser/test_package.py": 75,
    "browser/test_home.py": 50,
    "privacy/test_no_image_at_rest.py": 45,
    "beam_api/video_worker/test_worker.py": 40,
    "packaging/test_wheel.py": 40,
    "integration/test_commands.py": 40,
    "rppg_core/face/test_footage.py": 43,
    "beam_api/web/test_invariance.py": 42,
    "hostile/test_pictures.py": 38,
    "integration/test_races.py": 38,
    "rppg_core/face/test_reader.py": 32,
    "clients/python/test_measure.py": 35,
    "clients/python/test_video.py": 30,
    "clients/python/test_readme.py": 30,
    "clients/python/test_scan.py": 20,
    "clients/python/test_pace.py": 20,
    "clients/python/test_transport.py": 20,
    "integration/test_scanning.py": 32,
    "rppg_core/media/test_video_shown.py": 29,
    "hostile/test_numbers.py": 27,
    "beam_api/store/test_windows_reference.py": 14,
    "beam_api/store/test_windows.py": 5,
    "integration/test_object_store.py": 23,
    "integration/test_serving.py": 22,
    "hostile/test_bodies.py": 21,
    "faults/test_open_files.py": 20,
    "integration/test_measuring.py": 20,
    "faults/test_a_thousand_windows.py": 20,
    "integration/test_reload.py": 19,
    "integration/test_metrics.py": 19,
    "hostile/test_slow.py": 17,
    "hostile/test_films.py": 17,
    "packaging/test_install.py": 17,
    "privacy/test_forgetting.py": 17,
    "beam_api/web/test_scans.py": 16,
    "faults/test_slow_redis.py": 15,
    "faults/test_full.py": 15,
    "faults/test_clocks.py": 14,
    "faults/test_stopping.py": 13,
    "privacy/test_retention.py": 13,
    "access/test_routes.py": 11,
    "integration/test_readme.py": 11,
    "beam_api/web/test_measure.py": 11,
    "beam_api/web/test_schemathesis.py": 10,
    "test_calibration.py": 10,
    "faults/test_killed_workers.py": 10,
    "integration/test_load_balancer.py": 9,
    "faults/test_redis_unavailable.py": 9,
    "hostile/test_requests.py": 9,
    "beam_api/cli/test_plot.py": 8,
    "integration/test_exact_lengths.py": 8,
    "integration/test_backup.py": 7,
}

SERIAL = {
    # Their nodes are given up after a second or two of silence, which a busy machine has now and then.
    "beam_api/store/test_cluster.py",
    "integration/test_topologies.py",
    # It loads the machine until it refuses work.
    "integration/test_load.py",
}
"""Files that run after all the others, by themselves: their tests are marked `serial`."""

if __name__ == "__main__":
    print(*(f"tests/{file}" for file in sorted(SERIAL)))
