"""A real Orthanc on this machine, with its DICOMweb plugin, an empty store, and ports of its own."""

import io
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pydicom
import requests
from pydicom.dataset import Dataset

ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
SECONDS = 30


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


class Orthanc:
    """A PACS that can be stopped and started again; `node` is its DICOM node, `web` its DICOMweb service."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._http, self._dicom = folder, free_port(), free_port()
        # Where the tests let pneumo listen.
        self.pneumo = free_port()
        self.node, self.rest = f"ORTHANC@127.0.0.1:{self._dicom}", f"http://127.0.0.1:{self._http}"
        self.web = f"{self.rest}/dicom-web"
        (folder / "orthanc.json").write_text(json.dumps(self._settings()))
        self.start()

    def _settings(self) -> dict[str, Any]:
        return {
            "StorageDirectory": str(self._folder / "store"),
            "IndexDirectory": str(self._folder / "store"),
            "Plugins": [str(PLUGIN)],
            "HttpPort": self._http,
            "DicomPort": self._dicom,
            "DicomAet": "ORTHANC",
            "DicomModalities": {
                "pneumo": ["PNEUMO", "127.0.0.1", self.pneumo],
                "wrong": ["OTHER", "127.0.0.1", self.pneumo],
            },
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }

    def start(self) -> None:
        with (self._folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen([ORTHANC, "orthanc.json"], cwd=self._folder, stdout=log, stderr=log)
        wait_until(self._is_there)

    def _is_there(self) -> bool:
        try:
            return requests.get(f"{self.rest}/system", timeout=SECONDS).ok
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)

    def ask(self, path: str, **data: Any) -> Any:
        method = requests.post if data else requests.get
        reply = method(f"{self.rest}/{path}", timeout=SECONDS, **data)
        reply.raise_for_status()
        return reply.json()

    def store(self, film: bytes) -> str:
        """Store a film as a modality would, and return its study as Orthanc calls it."""
        return self.ask("instances", data=film)["ParentStudy"]

    def send(self, study: str, to: str = "pneumo") -> bool:
        """Send a study to pneumo, and return whether all of it was taken."""
        reply = requests.post(f"{self.rest}/modalities/{to}/store", json=study, timeout=SECONDS)
        return reply.ok and reply.json()["FailedInstancesCount"] == 0

    def study(self, study: str) -> dict[str, Dataset]:
        """Return what is in a study, by modality: in these tests there is one of each."""
        instances = [
            pydicom.dcmread(
                io.BytesIO(requests.get(f"{self.rest}/instances/{each['ID']}/file", timeout=SECONDS).content)
            )
            for each in self.ask(f"studies/{study}/instances")
        ]
        found = {instance.Modality: instance for instance in instances}
        assert len(found) == len(instances)
        return found


def wait_until(true: Any) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_installed() -> bool:
    return ORTHANC is not None and PLUGIN.is_file()
