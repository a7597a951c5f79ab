import sys

import pytest
from typer.testing import CliRunner

from pneumo.cli import app


@pytest.mark.parametrize("package", ["pynetdicom", "dicomweb_client"])
def test_a_package_that_is_missing_is_named_with_what_installs_it(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)

    result = CliRunner().invoke(app.app, ["serve-dicom", "--answer-to", "PACS@there:104"])

    assert result.exit_code == 2
    assert f"({package})" in result.stderr
    assert "pip install 'pneumo[pacs]'" in result.stderr
