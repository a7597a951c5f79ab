import pytest


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Settle what the environment and the working folder would decide."""
    for name in ("PNEUMO_DATA", "PNEUMO_MODELS", "PNEUMO_SITE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
