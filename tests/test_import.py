import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pneumo

FOLDER = Path(pneumo.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")

# Whole floors are those of the design; the others were put between them. A module imports from below only.
FLOORS = {
    "sentences": -1,
    "language": -0.5,
    "errors": 0,
    "bands": 0.1,
    "codestream": 0.2,
    "gdcm_process": 0.2,
    "dicom_header": 0.3,
    "dicom": 0.4,
    "greyscale": 0.6,
    "dicom_greyscale": 0.7,
    "radiograph": 1,
    "dicom_source": 1.5,
    "dataset": 1,
    "palette": 0.4,
    "charts": 1,
    "dataset_charts": 1.5,
    "curve_charts": 1.5,
    "clinic_charts": 1.5,
    "download": 1.5,
    "download_kagglehub": 1.7,
    "external": 1.5,
    "figures": 1.5,
    "samples": 1.5,
    "registration": 1.5,
    "film_statistics": 1.7,
    "opacity_groups": 1.7,
    "composites": 1.9,
    "framing": 1.5,
    "dataset_summary": 1.9,
    "dataset_tables": 2.1,
    "film_gallery": 2.4,
    "preprocessing": 2,
    "lungs": 2.2,
    "film_quality": 2.2,
    "views": 2.3,
    "drawing": 2.3,
    "findings": 2.3,
    "hot_regions": 2.25,
    "heat_findings": 2.3,
    "heat_agreement": 4.3,
    "heat_methods": 2.3,
    "header_findings": 2.5,
    "gate": 2.5,
    "calibration": 3,
    "resnet": 2.9,
    "architectures": 3,
    "lung_network": 3,
    "gate_network": 3,
    "segmentation": 3,
    "checkpoints": 3,
    "training": 3.2,
    "probe": 3.3,
    "evaluation": 2.9,
    "comparison": 3.2,
    "curves": 3.2,
    "clinic": 3.2,
    "lung_training": 3.5,
    "gate_training": 3.5,
    "recipes": 3.5,
    "search_space": 3.5,
    "search": 3.7,
    "model_file": 3.9,
    "model_card": 3.9,
    "model_store": 4,
    "card_figures": 4.2,
    "similar_scores": 4.2,
    "film_index": 4.2,
    "similar_cases": 4.4,
    "case_agreement": 4.5,
    "provenance": 4.2,
    "ensemble": 4.2,
    "probability_scale": 4.4,
    "screening": 4.5,
    "model_facts": 4.5,
    "pathogen": 5.2,
    "pathogen_tables": 5.3,
    "selective": 4.7,
    "leaderboard": 4.7,
    "film_calls": 4.5,
    "film_traits": 2.4,
    "medmnist": 1.5,
    "medmnist_folder": 1.7,
    "own_measurement": 5.2,
    "dataset_check": 2.2,
    "dataset_leaks": 3.2,
    "leak_tables": 3.5,
    "leak_charts": 1.7,
    "augmentation_draws": 4.5,
    "model_comparison": 4.8,
    "ladder": 4.8,
    "selection_check": 4.9,
    "model_curves": 4.9,
    "operating_point": 4.95,
    "failures": 4.9,
    "checklist": 4.9,
    "card_sections": 4.95,
    "scoreboard": 4.9,
    "scoreboard_html": 4.95,
    "clinic_curves": 4.9,
    "published": 4.8,
    "classifier": 5,
    "latency": 5.2,
    "shipping": 5,
    "embedding": 5.2,
    "explanation": 5.5,
    "experiment": 5.5,
    "heat_metrics": 3.5,
    "explain_films": 4.5,
    "explain_bench": 5.7,
    "heat_references": 5.75,
    "explain_parts": 5.8,
    "explain_benchmark": 5.9,
    "search_experiment": 5.7,
    "index_experiment": 5.7,
    "ensemble_experiment": 5.7,
    "ensemble_choice": 4.2,
    "ablation": 5.7,
    "lung_experiment": 5.7,
    "gate_experiment": 5.7,
    "pathogen_experiment": 5.7,
    "report": 6,
    "report_picture": 6.1,
    "dicom_report": 6.1,
    "report_text": 6.2,
    "report_pdf": 6.3,
    "report_files": 6.4,
    "batch": 6.2,
    "batch_report": 6.4,
    "explain_table": 4.5,
    "allocator": 6.5,
    "cli_output": 6.5,
    "cli_options": 6.7,
    "cli_files": 6.7,
    "cli_ablation": 6.8,
    "cli_compare": 6.8,
    "cli_latency": 6.8,
    "cli_data": 6.8,
    "cli_explain": 6.8,
    "cli_films": 6.8,
    "cli_search": 6.8,
    "cli_similar": 6.8,
    "cli_training": 6.8,
    "cli": 7,
    "__main__": 8,
}
NEEDS_KERAS = {"architectures", "latency", "training", "probe", "recipes", "classifier", "shipping", "experiment"} | {
    "search",
    "search_space",
    "search_experiment",
    "ablation",
    "index_experiment",
    "ensemble",
    "ensemble_experiment",
    "lung_network",
    "lung_training",
    "lung_experiment",
    "gate_network",
    "gate_training",
    "gate_experiment",
    "resnet",
    "pathogen_experiment",
    "explain_films",
    "explain_bench",
    "heat_references",
    "explain_parts",
    "explain_benchmark",
}


def imports_of(module):
    """Return all that a module imports, at the top or within functions, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {
                f"{'.' * node.level}{node.module or ''}",
                *(f"{node.module}.{alias.name}" for alias in node.names),
            }
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_the_floors_below(module):
    assert module in FLOORS, f"say in FLOORS on which floor {module} stands"
    used = {name.split(".")[1] for name in imports_of(module) if name.startswith("pneumo.")} & set(MODULES)

    assert [name for name in sorted(used) if FLOORS[name] >= FLOORS[module]] == []


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_the_library_holds_no_widget(module):
    assert not [name for name in imports_of(module) if name.split(".")[0] == "streamlit"]
    assert not [name for name in imports_of(module) if name.startswith((".", "pages"))]


def test_what_need_not_predict_does_not_import_tensorflow():
    light = [f"pneumo.{module}" for module in MODULES if module not in NEEDS_KERAS | {"__main__", "gdcm_process"}]
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'tensorflow', 'keras', 'tf_keras_vis', 'streamlit', 'fpdf', 'highdicom'} & set(sys.modules)\n"
        "    assert not heavy, f'{name} imports {heavy}'\n"
    )

    run = subprocess.run(
        [sys.executable, "-c", script, "pneumo", *light], capture_output=True, text=True, check=False, cwd=FOLDER.parent
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout == run.stderr == ""


def test_the_package_says_what_it_is():
    assert "not a medical device" in pneumo.DISCLAIMER
