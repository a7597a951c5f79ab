"""How the app is run: shut in by compose.yaml and by the unit of systemd."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
OURS = ("app", "api", "dicom", "nginx")
# In tenths, less is better: `systemd-analyze security` calls up to 20 safe.
EXPOSURE = 15


@pytest.mark.parametrize("name", OURS)
def test_a_container_writes_nowhere_and_may_do_nothing(name):
    service = SERVICES["services"][name]

    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(place.startswith("/tmp:") for place in service["tmpfs"])
    assert all(str(volume).endswith(":ro") for volume in service.get("volumes", []))


def test_the_models_are_reached_through_nginx_alone_and_reach_nobody():
    assert SERVICES["networks"]["inside"]["internal"]
    for name in ("app", "api", "dicom"):
        assert SERVICES["services"][name]["networks"] == ["inside"]
        assert "ports" not in SERVICES["services"][name]
    names = re.findall(r"server (\w+):\d+;", (DEPLOY / "nginx" / "pneumo.conf").read_text("utf-8"))
    assert {*names} <= {*SERVICES["services"]}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_calls_the_unit_safe():
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", DEPLOY / "pneumo.service"]
    rated = subprocess.run(command, capture_output=True, text=True, check=False)

    assert rated.returncode == 0, rated.stdout[-2000:] + rated.stderr
