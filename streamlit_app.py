"""The app: ``streamlit run streamlit_app.py``."""

import streamlit as st

st.set_page_config(page_title="pneumo", page_icon="docs/icon.png", layout="wide")
st.session_state.navigated = True
st.navigation(
    [
        st.Page("pages/predict.py", title="Predict", icon=":material/radiology:", default=True),
        st.Page("pages/leaderboard.py", title="Leaderboard", icon=":material/leaderboard:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare_arrows:"),
        st.Page("pages/clinic.py", title="At your clinic", icon=":material/local_hospital:"),
        st.Page("pages/failures.py", title="Where it fails", icon=":material/error_med:"),
        st.Page("pages/model_card.py", title="Model card", icon=":material/description:"),
        st.Page("pages/dataset.py", title="Dataset", icon=":material/photo_library:"),
    ],
    position="top",
).run()
