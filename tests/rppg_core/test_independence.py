"""The core is usable alone: it imports nothing of the service."""

import subprocess
import sys

CHECK = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {'flask', 'redis', 'beam_api', 'gunicorn'}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import importlib, pkgutil, rppg_core
for module in pkgutil.walk_packages(rppg_core.__path__, 'rppg_core.'):
    importlib.import_module(module.name)
assert all(hasattr(rppg_core, name) for name in rppg_core.__all__)
"""


def test_the_core_imports_without_the_service():
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
