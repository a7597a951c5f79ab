"""The app: ``streamlit run streamlit_app.py``."""

import streamlit as st

st.set_page_config(page_title="pneumo", page_icon="docs/icon.png", layout="wide")
st.session_state.navigated = True
st.navigation(
    [
        st.Page("pages/predict.py", title="Predict", icon=":material/radiology:", default=True),
        st.Page("pages/leaderboard.py", title="Leaderboard", icon=":material/leaderboard:"),
        st.Page("pages/dataset.py", title="Dataset", icon=":material/dataset:"),
        st.Page("pages/leaks.py", title="What leaks", icon=":material/troubleshoot:"),
        st.Page("pages/gallery.py", title="Gallery", icon=":material/photo_library:"),
        st.Page("pages/augmentation.py", title="Augmentation", icon=":material/transform:"),
        st.Page("pages/own_data.py", title="Bring your own", icon=":material/drive_folder_upload:"),
    ],
    position="top",
).run()
