"""The work of a click: streamlit_fun.py opens and runs this file, so strace sees every click."""

import streamlit as st

st.balloons()
