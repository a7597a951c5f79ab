import pytest
from pacs.orthanc import Orthanc, is_installed


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory):
    pytest.importorskip("pynetdicom", reason="pynetdicom is not installed (pip install pneumo[pacs])")
    pytest.importorskip("dicomweb_client", reason="dicomweb-client is not installed (pip install pneumo[pacs])")
    if not is_installed():
        pytest.skip("Orthanc is not installed (Debian: orthanc and orthanc-dicomweb)")
    orthanc = Orthanc(tmp_path_factory.mktemp("orthanc"))
    yield orthanc
    orthanc.stop()
