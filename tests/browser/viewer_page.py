"""A page with nothing but the viewer, on sample films and a drawn heat map: no model has to load."""

import numpy as np
import streamlit as st

from pages.parts.predict.pictures import Pictures, show_pictures
from pneumo import radiograph
from pneumo.datasets.samples import FOLDER
from pneumo.explanation import heat_findings
from pneumo.inference import lungs

film = radiograph.read(FOLDER / ("normal_1.png" if st.toggle("Other film") else "bacterial_1.png")).pixels
row, column = np.mgrid[:224, :224] / 224
mask = lungs.of_probability(
    sum(np.exp(-((row - 0.5) ** 2 / 0.12 + (column - middle) ** 2 / 0.02)) for middle in (0.3, 0.7)).clip(0, 1)
)
row, column = np.mgrid[: film.shape[0], : film.shape[1]] / np.array(film.shape)[:, None, None]
heat = np.exp(-((row - 0.6) ** 2 + (column - 0.3) ** 2) / 0.02).astype(np.float32)
found = heat_findings.examine(film, heat, mask.zones(*heat.shape))
absolute = None if st.toggle("Relative only") else heat * np.float32(0.3)
is_off = st.toggle("Map off")
st.button("Run again")
show_pictures(Pictures(film, heat, mask, found, "A sample", "gradcam", "likely", absolute, is_off=is_off))
st.markdown("\n\n".join(["More of the page"] * 60))
